/* The machine of one flow, made from controlplane/migration/transitions.py by
 *
 *     python -m controlplane.migration.promela
 *
 * Actions are inlines of the model that includes this file. */

mtype:phase = { P_WAITING, P_ANNOUNCING, P_DIVERTING, P_HOLDING, P_EXPORTING, P_EXPORTED, P_IMPORTING, P_IMPORTED, P_STEERING, P_DELETING, P_SETTLING, P_ADMITTING, P_MOVED, P_FORWARDING, P_WITHDRAWING, P_ABANDONING, P_RESTORING, P_RECALLING, P_CLEARING, P_UNWINDING, P_ROLLED_BACK, P_RETURNING }

mtype:event = { E_START, E_UNDO, E_FINISH, E_HELD, E_ANNOUNCED, E_WRITTEN, E_REFUSED, E_UNANSWERED, E_STATE, E_ABSENT, E_PROCEED, E_IN_PLACE, E_FAILED, E_DELETED, E_NOT_DELETED, E_ADMITTED, E_RECALLED, E_NOT_RECALLED, E_SETTLED, E_FULL, E_CANCEL, E_TIMEOUT }

mtype:stage = { S_BEGUN, S_PUT, S_COMMITTED, S_COMMITTED_ABSENT }

#define AT_AN_END (phase == P_MOVED || phase == P_FORWARDING || phase == P_ROLLED_BACK || phase == P_RETURNING)

#define COMMITTED (phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_ADMITTING || phase == P_MOVED || phase == P_FORWARDING)

inline take_start() {
    if
    :: phase == P_WAITING && holds && !aside -> hold(); phase = P_HOLDING;
    :: phase == P_WAITING && aside -> set_aside(); phase = P_ANNOUNCING;
    :: phase == P_WAITING && !holds && !diverts -> export(); phase = P_EXPORTING;
    :: else -> assert(false);
    fi
}

inline take_undo() {
    if
    :: phase == P_WAITING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_WAITING && !holds -> restore(); phase = P_RESTORING;
    :: else -> assert(false);
    fi
}

inline take_finish() {
    if
    :: phase == P_WAITING && holds -> release_to_destination(); steer(); phase = P_STEERING;
    :: phase == P_WAITING && diverts -> admit(); phase = P_ADMITTING;
    :: phase == P_WAITING && !holds && !diverts -> steer(); phase = P_STEERING;
    :: else -> assert(false);
    fi
}

inline take_held() {
    if
    :: phase == P_HOLDING -> keep();
    :: phase == P_EXPORTING -> keep();
    :: phase == P_EXPORTED -> keep();
    :: phase == P_IMPORTING -> keep();
    :: phase == P_IMPORTED -> keep();
    :: phase == P_STEERING -> pass_to_destination();
    :: phase == P_DELETING -> pass_to_destination();
    :: phase == P_SETTLING -> pass_to_destination();
    :: phase == P_ADMITTING -> pass_to_destination();
    :: phase == P_MOVED -> pass_to_destination();
    :: phase == P_FORWARDING -> pass_to_destination();
    :: phase == P_WITHDRAWING -> pass_to_source();
    :: phase == P_ABANDONING -> pass_to_source();
    :: phase == P_RESTORING -> pass_to_source();
    :: phase == P_RECALLING -> pass_to_source();
    :: phase == P_CLEARING -> pass_to_source();
    :: phase == P_UNWINDING -> pass_to_source();
    :: phase == P_ROLLED_BACK -> pass_to_source();
    :: phase == P_RETURNING -> pass_to_source();
    :: else -> assert(false);
    fi
}

inline take_announced() {
    if
    :: phase == P_ANNOUNCING && holds -> hold(); phase = P_HOLDING;
    :: phase == P_ANNOUNCING && diverts -> steer(); phase = P_DIVERTING;
    :: phase == P_WITHDRAWING -> recall(); phase = P_RECALLING;
    :: else -> assert(false);
    fi
}

inline take_written() {
    if
    :: phase == P_HOLDING -> export(); phase = P_EXPORTING;
    :: phase == P_DIVERTING -> export(); phase = P_EXPORTING;
    :: phase == P_STEERING && !aside && !absent -> delete_at_source(); phase = P_DELETING;
    :: phase == P_STEERING && holds && !aside && absent -> barrier(); phase = P_SETTLING;
    :: phase == P_STEERING && !holds && !diverts && absent -> phase = P_MOVED;
    :: phase == P_STEERING && aside -> barrier(); phase = P_SETTLING;
    :: phase == P_ABANDONING -> restore(); phase = P_RESTORING;
    :: phase == P_RESTORING && aside -> recall(); phase = P_RECALLING;
    :: phase == P_RESTORING && !aside && put -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_RESTORING && holds && !aside && !put -> barrier(); phase = P_UNWINDING;
    :: phase == P_RESTORING && !holds && !aside && !put -> phase = P_ROLLED_BACK;
    :: else -> assert(false);
    fi
}

inline take_refused() {
    if
    :: phase == P_STEERING && !holds && put && !passed -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_STEERING && !holds && !put && !passed -> phase = P_ROLLED_BACK;
    :: phase == P_STEERING && !holds && !absent && passed -> delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && !holds && absent && passed -> phase = P_FORWARDING;
    :: phase == P_STEERING && holds && !absent && !passed -> restore(); phase = P_RESTORING;
    :: phase == P_STEERING && holds && !aside && !absent && passed -> delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && holds && !aside && absent -> phase = P_FORWARDING;
    :: phase == P_STEERING && holds && aside && !absent && passed -> admit(); delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && holds && aside && absent -> admit(); phase = P_FORWARDING;
    :: phase == P_HOLDING && !aside -> release_to_source(); phase = P_ROLLED_BACK;
    :: phase == P_HOLDING && aside -> release_to_source(); recall(); phase = P_RECALLING;
    :: phase == P_DIVERTING -> recall(); phase = P_RECALLING;
    :: phase == P_ABANDONING && !aside -> phase = P_ROLLED_BACK;
    :: phase == P_ABANDONING && aside -> recall(); phase = P_RECALLING;
    :: phase == P_RESTORING && !aside && put -> delete_at_destination(); phase = P_RETURNING;
    :: phase == P_RESTORING && !aside && !put -> phase = P_RETURNING;
    :: phase == P_RESTORING && aside && put -> recall(); delete_at_destination(); phase = P_RETURNING;
    :: phase == P_RESTORING && aside && !put -> recall(); phase = P_RETURNING;
    :: else -> assert(false);
    fi
}

inline take_unanswered() {
    if
    :: phase == P_STEERING && !holds && !diverts && !passed -> restore(); phase = P_RESTORING;
    :: phase == P_STEERING && !holds && !absent && passed -> delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && !holds && absent && passed -> phase = P_FORWARDING;
    :: phase == P_STEERING && holds && !aside && !absent -> delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && holds && !aside && absent -> phase = P_FORWARDING;
    :: phase == P_STEERING && holds && aside && !absent -> admit(); delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && holds && aside && absent -> admit(); phase = P_FORWARDING;
    :: phase == P_HOLDING -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_DIVERTING -> restore(); phase = P_RESTORING;
    :: phase == P_ABANDONING -> restore(); phase = P_RESTORING;
    :: phase == P_RESTORING && !aside && put -> delete_at_destination(); phase = P_RETURNING;
    :: phase == P_RESTORING && !aside && !put -> phase = P_RETURNING;
    :: phase == P_RESTORING && aside && put -> recall(); delete_at_destination(); phase = P_RETURNING;
    :: phase == P_RESTORING && aside && !put -> recall(); phase = P_RETURNING;
    :: else -> assert(false);
    fi
}

inline take_state() {
    if
    :: phase == P_EXPORTING && parallelize -> import(); put = true; phase = P_IMPORTING;
    :: phase == P_EXPORTING && !parallelize -> phase = P_EXPORTED;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_absent() {
    if
    :: phase == P_EXPORTING && holds -> release_to_destination(); steer(); absent = true; phase = P_STEERING;
    :: phase == P_EXPORTING && diverts -> admit(); absent = true; phase = P_ADMITTING;
    :: phase == P_EXPORTING && !holds && !diverts -> steer(); absent = true; phase = P_STEERING;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_proceed() {
    if
    :: phase == P_EXPORTED -> import(); put = true; phase = P_IMPORTING;
    :: phase == P_IMPORTED && holds -> release_to_destination(); steer(); phase = P_STEERING;
    :: phase == P_IMPORTED && diverts -> admit(); phase = P_ADMITTING;
    :: phase == P_IMPORTED && !holds && !diverts -> steer(); phase = P_STEERING;
    :: phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_ADMITTING || phase == P_MOVED || phase == P_FORWARDING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_in_place() {
    if
    :: phase == P_IMPORTING && !early_release -> phase = P_IMPORTED;
    :: phase == P_IMPORTING && holds && early_release -> release_to_destination(); steer(); phase = P_STEERING;
    :: phase == P_IMPORTING && diverts && early_release -> admit(); phase = P_ADMITTING;
    :: phase == P_IMPORTING && !holds && !diverts && early_release -> steer(); phase = P_STEERING;
    :: phase == P_RESTORING -> skip;
    :: phase == P_RECALLING -> skip;
    :: phase == P_CLEARING -> delete_at_destination();
    :: phase == P_UNWINDING -> delete_at_destination();
    :: phase == P_ROLLED_BACK -> delete_at_destination();
    :: phase == P_RETURNING -> delete_at_destination();
    :: else -> assert(false);
    fi
}

inline take_failed() {
    if
    :: phase == P_ADMITTING && !absent -> delete_at_source(); phase = P_DELETING;
    :: phase == P_ADMITTING && absent -> phase = P_MOVED;
    :: phase == P_ANNOUNCING -> recall(); phase = P_RECALLING;
    :: phase == P_WITHDRAWING -> recall(); phase = P_RECALLING;
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds && !diverts -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_IMPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_FORWARDING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_deleted() {
    if
    :: phase == P_DELETING && holds && !aside -> barrier(); phase = P_SETTLING;
    :: phase == P_DELETING && aside -> phase = P_MOVED;
    :: phase == P_DELETING && !holds && !diverts -> phase = P_MOVED;
    :: phase == P_CLEARING && holds -> barrier(); phase = P_UNWINDING;
    :: phase == P_CLEARING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_FORWARDING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_not_deleted() {
    if
    :: phase == P_DELETING && holds && !aside -> barrier(); phase = P_SETTLING;
    :: phase == P_DELETING && aside -> phase = P_MOVED;
    :: phase == P_DELETING && !holds && !diverts -> phase = P_MOVED;
    :: phase == P_CLEARING && holds -> barrier(); phase = P_UNWINDING;
    :: phase == P_CLEARING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_FORWARDING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_admitted() {
    if
    :: phase == P_ADMITTING && !absent -> delete_at_source(); phase = P_DELETING;
    :: phase == P_ADMITTING && absent -> phase = P_MOVED;
    :: phase == P_FORWARDING -> skip;
    :: else -> assert(false);
    fi
}

inline take_recalled() {
    if
    :: phase == P_RECALLING && put -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_RECALLING && holds && !put && ruled -> barrier(); phase = P_UNWINDING;
    :: phase == P_RECALLING && diverts && !put && ruled -> phase = P_ROLLED_BACK;
    :: phase == P_RECALLING && !put && !ruled -> phase = P_ROLLED_BACK;
    :: phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_not_recalled() {
    if
    :: phase == P_RECALLING && put -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_RECALLING && holds && !put && ruled -> barrier(); phase = P_UNWINDING;
    :: phase == P_RECALLING && diverts && !put && ruled -> phase = P_ROLLED_BACK;
    :: phase == P_RECALLING && !put && !ruled -> phase = P_ROLLED_BACK;
    :: phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_settled() {
    if
    :: phase == P_SETTLING && !aside -> phase = P_MOVED;
    :: phase == P_SETTLING && aside -> admit(); phase = P_ADMITTING;
    :: phase == P_UNWINDING -> phase = P_ROLLED_BACK;
    :: else -> assert(false);
    fi
}

inline take_full() {
    if
    :: phase == P_HOLDING -> release_to_source(); phase = P_ABANDONING;
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds && !diverts -> phase = P_ROLLED_BACK;
    :: phase == P_EXPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTED && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_EXPORTED && !holds && !diverts -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_IMPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_cancel() {
    if
    :: phase == P_WAITING -> phase = P_ROLLED_BACK;
    :: phase == P_ANNOUNCING -> phase = P_WITHDRAWING;
    :: phase == P_HOLDING -> release_to_source(); phase = P_ABANDONING;
    :: phase == P_DIVERTING -> phase = P_ABANDONING;
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds && !diverts -> phase = P_ROLLED_BACK;
    :: phase == P_EXPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTED && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_EXPORTED && !holds && !diverts -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_IMPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_ADMITTING || phase == P_MOVED || phase == P_FORWARDING || phase == P_WITHDRAWING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_timeout() {
    if
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds && !diverts -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && diverts -> restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds && !diverts -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_ADMITTING || phase == P_MOVED || phase == P_FORWARDING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_RECALLING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_over() {
    if
    :: stage == S_BEGUN -> put = false; passed = false; ruled = true; absent = false; phase = P_WAITING; take_undo();
    :: stage == S_PUT -> put = true; passed = false; ruled = true; absent = false; phase = P_WAITING; take_undo();
    :: stage == S_COMMITTED -> put = true; passed = true; ruled = true; absent = false; phase = P_WAITING; take_finish();
    :: stage == S_COMMITTED_ABSENT -> put = false; passed = true; ruled = true; absent = true; phase = P_WAITING; take_finish();
    fi
}
