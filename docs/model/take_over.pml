/* A controller dies, and another one takes the flow over with what is in the journal.
 *
 * It happens in one step. What goes on between the last step of the one and the first of the
 * other goes on as well while a controller takes no step. So what was asked is done by then,
 * or never; nobody hears the answers. Packets are lost that are with the dead controller, on
 * their way to it, or on their way from it. */

byte lost; /* packets, as in a state */
bool stranded; /* by the dead one, for the switch had refused a rule: order is not promised */
byte held; /* packets that the rule has sent to the controller, as the switch counts them */

inline lose() {
    if
    :: packet < MARKER -> lost = lost | (1 << (packet % DETOUR)); losses++;
    :: else -> skip; /* a marker or barrier, which nobody waits for any more */
    fi
}

inline lose_packets() {
    do
    :: len(kept) > 0 -> assert(!diverts); kept?packet; lose();
    :: len(to_controller) > 0 -> assert(!diverts); to_controller?packet; lose();
    :: len(from_controller) > 0 -> from_controller?to, packet; lose();
    :: len(kept) == 0 && len(to_controller) == 0 && len(from_controller) == 0 -> break;
    od
}

inline drop(answers_of_one) {
    do
    :: len(answers_of_one) > 0 -> answers_of_one?event;
    :: len(answers_of_one) == 0 -> break;
    od
}

inline drop_answers() {
    drop(answers); drop(export_answers); drop(import_answers);
    drop(delete_answers); drop(aside_answers);
}

inline drop_questions() {
    do
    :: len(writes) > 0 -> writes?to;
    :: len(writes) == 0 -> break;
    od;
    export_asked = false; import_asked = false; announce_asked = false;
    admit_asked = false; recall_asked = false;
    source_deletes = 0; destination_deletes = 0;
}

/* A marker has a number: one of the dead controller is not one of the other's. */
inline drop_markers(port) {
    turns = len(port);
    do
    :: turns > 0 -> port?what; turns--;
        if
        :: what != MARKER -> port!what;
        :: else -> skip;
        fi
    :: turns == 0 -> break;
    od
}

/* It is written before anything is done that the phase asks for. */
inline read_journal() {
    if
    :: COMMITTED && absent -> stage = S_COMMITTED_ABSENT;
    :: COMMITTED && !absent -> stage = S_COMMITTED;
    :: !COMMITTED && put -> stage = S_PUT;
    :: !COMMITTED && !put -> stage = S_BEGUN;
    fi
}

inline die() {
    losses = 0;
    lose_packets();
    assert(rule != CONTROLLER || losses <= held); /* as is reported */
    drop_answers(); drop_questions();
    drop_markers(source_port); drop_markers(destination_port);
    marker_read = false; destination_marker_read = false;
    stranded = phase == P_FORWARDING || phase == P_RETURNING;
    if
    :: phase == P_MOVED -> skip; /* the journal may have forgotten it */
    :: read_journal(); take_over();
    fi
}
