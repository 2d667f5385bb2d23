/* One flow moves, and all that can happen to its packets meanwhile.
 *
 * The machine is that of the controller, made from its table (machine.pml). Around it are
 * hosts that send, a switch with one rule for the flow, a source, a destination, and what
 * connects them, each a queue in order. Packets are numbers; an instance's state is the set
 * of packets that it has processed.
 *
 * The controller may die between any two of its steps; another one takes over (take_over.pml).
 *
 * Parameters, with -D: PACKETS, FAULTS, CANCELS, DEATHS, HOLDS, DIVERTS, ASIDE, PARALLELIZE,
 * EARLY_RELEASE, ABSENT.
 */

#ifndef PACKETS
#define PACKETS 3
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef HOLDS
#define HOLDS 1
#endif
#ifndef DIVERTS
#define DIVERTS 0
#endif
#ifndef ASIDE
#define ASIDE 0
#endif
#ifndef PARALLELIZE
#define PARALLELIZE 1
#endif
#ifndef EARLY_RELEASE
#define EARLY_RELEASE 1
#endif
#ifndef ABSENT
#define ABSENT 0
#endif

#define loss_free (HOLDS || DIVERTS)
#define holds HOLDS
#define diverts DIVERTS
#define aside ASIDE
#define parallelize PARALLELIZE
#define early_release EARLY_RELEASE

#define ROOM (PACKETS + 2)
#define ALL ((1 << PACKETS) - 1)
#define DETOUR 50 /* added to a packet that does not come straight from its host */
#define MARKER 100
#define BARRIER 101

mtype:place = { SOURCE, DESTINATION, CONTROLLER };
mtype:place rule = SOURCE; /* to begin with, the flow's bucket sends it there */

chan to_controller = [ROOM] of { byte };
chan from_controller = [ROOM + 2] of { mtype:place, byte };
chan source_port = [ROOM] of { byte };
chan destination_port = [ROOM] of { byte };
chan kept = [PACKETS] of { byte };

/* What is asked, and what is answered; each call by itself, so that they overtake each other. */
chan writes = [3] of { mtype:place };
bool export_asked, import_asked, announce_asked, admit_asked, recall_asked;
byte source_deletes, destination_deletes;

bool marker_read, destination_marker_read;
bool sets_aside;
chan waiting = [PACKETS] of { byte }; /* what the destination has set aside */
bool gave_up; /* the destination failed with what it had set aside */
bool out_of_order;
bool source_has = !ABSENT, destination_has;
byte source, destination, chunk;
byte sent, faults = FAULTS, cancels = CANCELS, deaths = DEATHS;
bool absent, put, passed, ruled;

/* For use within one step: what is being done, and with which packet. */
hidden byte packet, what, losses, turns;
hidden mtype:place to;
hidden mtype:event event;

#include "machine.pml"

hidden mtype:stage stage;
mtype:phase phase = P_WAITING;

chan answers = [4] of { mtype:event };          /* of the switch, to writes */
chan export_answers = [1] of { mtype:event };
chan import_answers = [2] of { mtype:event };
chan delete_answers = [4] of { mtype:event };
chan aside_answers = [2] of { mtype:event };

/* --- the machine's actions ------------------------------------------------------ */

inline release_all(there) {
    do
    :: len(kept) > 0 && there == SOURCE -> kept?packet; from_controller!there, packet;
    :: len(kept) > 0 && there != SOURCE -> kept?packet; from_controller!there, packet + DETOUR;
    :: len(kept) == 0 -> break;
    od
}

inline keep() { kept!packet; }
inline pass_to_destination() { passed = true; from_controller!DESTINATION, packet + DETOUR; }
inline pass_to_source() { from_controller!SOURCE, packet; }
inline release_to_destination() { passed = passed || len(kept) > 0; release_all(DESTINATION); }
inline release_to_source() { release_all(SOURCE); }
inline hold() { ruled = true; writes!CONTROLLER; }
inline steer() { ruled = true; writes!DESTINATION; }
inline marker_to_destination() {
    destination_marker_read = false; from_controller!DESTINATION, MARKER;
}
inline set_aside() { announce_asked = true; }
inline admit() { marker_to_destination(); admit_asked = true; }
inline recall() { marker_to_destination(); recall_asked = true; }
inline restore() { writes!SOURCE; }
inline export() { from_controller!SOURCE, MARKER; export_asked = true; }
inline import() { import_asked = true; }
inline delete_at_source() { source_deletes++; }
inline delete_at_destination() { destination_deletes++; }
inline barrier() { from_controller!CONTROLLER, BARRIER; }

inline take_answer() {
    if
    :: event == E_WRITTEN -> take_written();
    :: event == E_REFUSED -> take_refused();
    :: event == E_UNANSWERED -> take_unanswered();
    :: event == E_STATE -> take_state();
    :: event == E_ABSENT -> take_absent();
    :: event == E_IN_PLACE -> take_in_place();
    :: event == E_FAILED -> take_failed();
    :: event == E_DELETED -> take_deleted();
    :: event == E_ANNOUNCED -> take_announced();
    :: event == E_ADMITTED -> take_admitted();
    :: event == E_RECALLED -> take_recalled();
    :: event == E_NOT_RECALLED -> take_not_recalled();
    fi
}

/* The switch has refused to take the traffic from the destination again, which keeps nothing. */
#define LEFT_THERE (diverts && (phase == P_RETURNING || stranded))

#define ASKED (phase == P_EXPORTING || phase == P_IMPORTING)
#define KEEPS (phase == P_HOLDING || phase == P_EXPORTED || phase == P_IMPORTED || ASKED)

#include "take_over.pml"

/* --- the controller ------------------------------------------------------------- */

active proctype controller() {
    atomic { take_start(); }
end_of_events:
    do
    :: atomic { to_controller?packet ->
        if
        :: packet == BARRIER -> take_settled();
        :: packet != BARRIER ->
            assert(phase != P_MOVED && phase != P_ROLLED_BACK); /* it would be forgotten */
            take_held();
        fi }
    :: atomic {
        if
        :: answers?event;
        :: export_answers?event;
        :: import_answers?event;
        :: delete_answers?event;
        :: aside_answers?event;
        fi;
        take_answer(); }
    :: atomic { phase == P_EXPORTED || phase == P_IMPORTED -> take_proceed(); }
    :: atomic { cancels > 0 && !AT_AN_END -> cancels--; take_cancel(); }
    :: atomic { faults > 0 && ASKED -> faults--; take_timeout(); }
    :: atomic { faults > 0 && KEEPS && len(to_controller) > 0 -> faults--; take_full(); }
    :: atomic { deaths > 0 -> deaths--; die(); }
    od
}

/* --- hosts and switch ------------------------------------------------------------ */

inline forward(there, number) {
    if
    :: there == SOURCE -> source_port!number;
    :: there == DESTINATION -> destination_port!number;
    :: there == CONTROLLER -> to_controller!number;
    fi
}

active proctype hosts() {
    do
    :: atomic { sent < PACKETS ->
        forward(rule, sent); sent++;
        if
        :: DEATHS && rule == CONTROLLER -> held++;
        :: else -> skip;
        fi }
    :: sent == PACKETS -> break;
    od
}

active proctype switch_() {
end_of_work:
    do
    :: atomic { from_controller?to, what -> forward(to, what); }
    :: atomic { writes?to ->
        if
        :: rule = to; answers!E_WRITTEN;
        :: faults > 0 -> faults--; answers!E_REFUSED;
        :: faults > 0 -> faults--; answers!E_UNANSWERED;
        :: faults > 0 -> faults--; rule = to; answers!E_UNANSWERED;
        fi }
    od
}

/* --- instances ------------------------------------------------------------------- */

active proctype source_instance() {
end_of_packets:
    do
    :: atomic { source_port?what ->
        if
        :: what == MARKER -> marker_read = true;
        :: what != MARKER && source_has ->
            assert(!(source & (1 << what))); /* processed once */
            source = source | (1 << what);
        :: what != MARKER && !source_has -> destination_port!what + DETOUR; /* bounced */
        fi }
    :: atomic { export_asked && marker_read ->
        export_asked = false;
        if
        :: source_has -> chunk = source; export_answers!E_STATE;
        :: !source_has -> export_answers!E_ABSENT;
        fi }
    :: atomic { export_asked && faults > 0 ->
        faults--; export_asked = false; export_answers!E_FAILED; }
    :: atomic { source_deletes > 0 ->
        source_deletes--; source_has = false; source = 0; delete_answers!E_DELETED; }
    od
}

inline process(number) {
    assert(!(destination & (1 << (number))));
    out_of_order = out_of_order || (destination >> (number)) != 0;
    destination = destination | (1 << (number)); destination_has = true;
}

inline give_up() {
    gave_up = true; sets_aside = false;
    do
    :: len(waiting) > 0 -> waiting?what;
    :: len(waiting) == 0 -> break;
    od
}

active proctype destination_instance() {
end_of_packets:
    do
    :: atomic { destination_port?what ->
        if
        :: what == MARKER -> destination_marker_read = true;
        :: what != MARKER && sets_aside && what < DETOUR -> waiting!what;
        :: what != MARKER && !(sets_aside && what < DETOUR) -> process(what % DETOUR);
        fi }
    :: atomic { announce_asked ->
        announce_asked = false;
        if
        :: sets_aside = true; aside_answers!E_ANNOUNCED;
        :: faults > 0 -> faults--; aside_answers!E_FAILED;
        fi }
    :: atomic { admit_asked && destination_marker_read ->
        admit_asked = false; sets_aside = false;
        do
        :: len(waiting) > 0 -> waiting?what; process(what);
        :: len(waiting) == 0 -> break;
        od;
        aside_answers!E_ADMITTED; }
    :: atomic { recall_asked && destination_marker_read ->
        recall_asked = false; sets_aside = false;
        do
        :: len(waiting) > 0 -> waiting?what; from_controller!SOURCE, what;
        :: len(waiting) == 0 -> break;
        od;
        aside_answers!E_RECALLED; }
    :: atomic { admit_asked && faults > 0 ->
        faults--; admit_asked = false; give_up(); aside_answers!E_FAILED; }
    :: atomic { recall_asked && faults > 0 ->
        faults--; recall_asked = false; give_up(); aside_answers!E_NOT_RECALLED; }
    :: atomic { import_asked ->
        import_asked = false;
        assert(!destination_has || !loss_free || gave_up || LEFT_THERE); /* state comes first */
        destination = chunk; destination_has = true; import_answers!E_IN_PLACE; }
    :: atomic { import_asked && faults > 0 ->
        faults--; import_asked = false; import_answers!E_FAILED; }
    :: atomic { destination_deletes > 0 ->
        destination_deletes--; destination_has = false; destination = 0;
        delete_answers!E_DELETED; }
    od
}

/* --- what is promised ------------------------------------------------------------- */

/* When nothing can happen any more: the flow is at an end, its state is in one place, to which
 * the rule leads, and that has all packets but those that died with a controller. Without a
 * guarantee packets that are under way meanwhile are not in the state, and after a fault they
 * may have begun another one. */
active proctype at_rest() {
    timeout ->
    assert(AT_AN_END);
    assert(len(kept) == 0);
    assert(len(waiting) == 0 && !sets_aside);
    if
    :: gave_up -> skip; /* what waited there is lost with it */
    :: LEFT_THERE -> skip;
    :: else ->
        assert(!(source_has && destination_has) || (!loss_free && faults < FAULTS));
        assert(ABSENT || source_has || destination_has);
        assert(!loss_free || (source | destination | lost) == ALL);
        assert(((source | destination) & lost) == 0);
        assert(phase != P_MOVED || rule == DESTINATION);
        assert(phase != P_MOVED || ABSENT || destination_has);
        assert(phase != P_ROLLED_BACK || rule == SOURCE);
        assert(phase != P_ROLLED_BACK || ABSENT || source_has);
        assert(!aside || phase != P_MOVED || stranded || !out_of_order);
    fi
}
