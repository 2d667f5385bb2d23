/* The machine of one flow, made from controlplane/migration/machine.py by
 *
 *     python -m controlplane.migration.promela
 *
 * Actions are inlines of the model that includes this file. */

mtype:phase = { P_WAITING, P_HOLDING, P_EXPORTING, P_EXPORTED, P_IMPORTING, P_IMPORTED, P_STEERING, P_DELETING, P_SETTLING, P_MOVED, P_FORWARDING, P_ABANDONING, P_RESTORING, P_CLEARING, P_UNWINDING, P_ROLLED_BACK, P_RETURNING }

mtype:event = { E_START, E_HELD, E_WRITTEN, E_REFUSED, E_UNANSWERED, E_STATE, E_ABSENT, E_PROCEED, E_IN_PLACE, E_FAILED, E_DELETED, E_NOT_DELETED, E_SETTLED, E_FULL, E_CANCEL, E_TIMEOUT }

#define AT_AN_END (phase == P_MOVED || phase == P_FORWARDING || phase == P_ROLLED_BACK || phase == P_RETURNING)

inline take_start() {
    if
    :: phase == P_WAITING && holds -> hold(); phase = P_HOLDING;
    :: phase == P_WAITING && !holds -> export(); phase = P_EXPORTING;
    :: else -> assert(false);
    fi
}

inline take_held() {
    if
    :: phase == P_HOLDING -> keep();
    :: phase == P_STEERING -> pass_to_destination();
    :: phase == P_DELETING -> pass_to_destination();
    :: phase == P_SETTLING -> pass_to_destination();
    :: phase == P_MOVED -> pass_to_destination();
    :: phase == P_FORWARDING -> pass_to_destination();
    :: phase == P_ABANDONING -> pass_to_source();
    :: phase == P_RESTORING -> pass_to_source();
    :: phase == P_CLEARING -> pass_to_source();
    :: phase == P_UNWINDING -> pass_to_source();
    :: phase == P_ROLLED_BACK -> pass_to_source();
    :: phase == P_RETURNING -> pass_to_source();
    :: phase == P_EXPORTING -> keep();
    :: phase == P_EXPORTED -> keep();
    :: phase == P_IMPORTING -> keep();
    :: phase == P_IMPORTED -> keep();
    :: else -> assert(false);
    fi
}

inline take_written() {
    if
    :: phase == P_HOLDING -> export(); phase = P_EXPORTING;
    :: phase == P_STEERING && !absent -> delete_at_source(); phase = P_DELETING;
    :: phase == P_STEERING && holds && absent -> barrier(); phase = P_SETTLING;
    :: phase == P_STEERING && !holds && absent -> phase = P_MOVED;
    :: phase == P_ABANDONING -> restore(); phase = P_RESTORING;
    :: phase == P_RESTORING && put -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_RESTORING && holds && !put -> barrier(); phase = P_UNWINDING;
    :: phase == P_RESTORING && !holds && !put -> phase = P_ROLLED_BACK;
    :: else -> assert(false);
    fi
}

inline take_refused() {
    if
    :: phase == P_HOLDING -> release_to_source(); phase = P_ROLLED_BACK;
    :: phase == P_STEERING && !holds && put -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_STEERING && !holds && !put -> phase = P_ROLLED_BACK;
    :: phase == P_ABANDONING -> phase = P_ROLLED_BACK;
    :: phase == P_STEERING && holds && !absent && !passed -> restore(); phase = P_RESTORING;
    :: phase == P_STEERING && holds && !absent && passed -> delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && holds && absent -> phase = P_FORWARDING;
    :: phase == P_RESTORING && put -> delete_at_destination(); phase = P_RETURNING;
    :: phase == P_RESTORING && !put -> phase = P_RETURNING;
    :: else -> assert(false);
    fi
}

inline take_unanswered() {
    if
    :: phase == P_HOLDING -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_STEERING && !holds -> restore(); phase = P_RESTORING;
    :: phase == P_ABANDONING -> restore(); phase = P_RESTORING;
    :: phase == P_STEERING && holds && !absent -> delete_at_source(); phase = P_FORWARDING;
    :: phase == P_STEERING && holds && absent -> phase = P_FORWARDING;
    :: phase == P_RESTORING && put -> delete_at_destination(); phase = P_RETURNING;
    :: phase == P_RESTORING && !put -> phase = P_RETURNING;
    :: else -> assert(false);
    fi
}

inline take_state() {
    if
    :: phase == P_EXPORTING && parallelize -> import(); put = true; phase = P_IMPORTING;
    :: phase == P_EXPORTING && !parallelize -> phase = P_EXPORTED;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_absent() {
    if
    :: phase == P_EXPORTING && holds -> release_to_destination(); steer(); absent = true; phase = P_STEERING;
    :: phase == P_EXPORTING && !holds -> steer(); absent = true; phase = P_STEERING;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_proceed() {
    if
    :: phase == P_EXPORTED -> import(); put = true; phase = P_IMPORTING;
    :: phase == P_IMPORTED && holds -> release_to_destination(); steer(); phase = P_STEERING;
    :: phase == P_IMPORTED && !holds -> steer(); phase = P_STEERING;
    :: phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_MOVED || phase == P_FORWARDING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_in_place() {
    if
    :: phase == P_IMPORTING && !early_release -> phase = P_IMPORTED;
    :: phase == P_IMPORTING && holds && early_release -> release_to_destination(); steer(); phase = P_STEERING;
    :: phase == P_IMPORTING && !holds && early_release -> steer(); phase = P_STEERING;
    :: phase == P_RESTORING -> skip;
    :: phase == P_CLEARING -> delete_at_destination();
    :: phase == P_UNWINDING -> delete_at_destination();
    :: phase == P_ROLLED_BACK -> delete_at_destination();
    :: phase == P_RETURNING -> delete_at_destination();
    :: else -> assert(false);
    fi
}

inline take_failed() {
    if
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_deleted() {
    if
    :: phase == P_DELETING && holds -> barrier(); phase = P_SETTLING;
    :: phase == P_DELETING && !holds -> phase = P_MOVED;
    :: phase == P_CLEARING && holds -> barrier(); phase = P_UNWINDING;
    :: phase == P_CLEARING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_FORWARDING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_not_deleted() {
    if
    :: phase == P_DELETING && holds -> barrier(); phase = P_SETTLING;
    :: phase == P_DELETING && !holds -> phase = P_MOVED;
    :: phase == P_CLEARING && holds -> barrier(); phase = P_UNWINDING;
    :: phase == P_CLEARING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_FORWARDING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_settled() {
    if
    :: phase == P_SETTLING -> phase = P_MOVED;
    :: phase == P_UNWINDING -> phase = P_ROLLED_BACK;
    :: else -> assert(false);
    fi
}

inline take_full() {
    if
    :: phase == P_HOLDING -> release_to_source(); phase = P_ABANDONING;
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_EXPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTED && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_IMPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && !holds -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_cancel() {
    if
    :: phase == P_WAITING -> phase = P_ROLLED_BACK;
    :: phase == P_HOLDING -> release_to_source(); phase = P_ABANDONING;
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_EXPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTED && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_IMPORTED && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTED && !holds -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_MOVED || phase == P_FORWARDING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}

inline take_timeout() {
    if
    :: phase == P_EXPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_EXPORTING && !holds -> phase = P_ROLLED_BACK;
    :: phase == P_IMPORTING && holds -> release_to_source(); restore(); phase = P_RESTORING;
    :: phase == P_IMPORTING && !holds -> delete_at_destination(); phase = P_CLEARING;
    :: phase == P_STEERING || phase == P_DELETING || phase == P_SETTLING || phase == P_MOVED || phase == P_FORWARDING || phase == P_ABANDONING || phase == P_RESTORING || phase == P_CLEARING || phase == P_UNWINDING || phase == P_ROLLED_BACK || phase == P_RETURNING -> skip;
    :: else -> assert(false);
    fi
}
