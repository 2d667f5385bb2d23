// The times that can be set while the switch runs: the parameters of the default
// action of a table that has no key, so that every P4Runtime target can set them.

#ifndef UHAUL_TIMERS_P4
#define UHAUL_TIMERS_P4

#include "../headers.p4"

control Timers(out timers_t values) {
    action set_timers(
        @name("activity_window") timestamp_t activity_window,
        @name("affinity_timeout") timestamp_t affinity_timeout)
    {
        values.activity_window = activity_window;
        values.affinity_timeout = affinity_timeout;
    }

    @name("timers")
    table timers {
        key = { }
        actions = { set_timers; }
        default_action = set_timers(100000, 60000000);  // 100 ms, 60 s
    }

    apply {
        values.activity_window = 0;
        values.affinity_timeout = 0;
        timers.apply();
    }
}

#endif
