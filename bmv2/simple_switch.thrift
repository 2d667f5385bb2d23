// The one call of BMv2's service "simple_switch" that is needed here.

service SimpleSwitch {
  i32 set_all_egress_queue_depths(1: i32 depth_pkts);
}
