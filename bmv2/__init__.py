"""Switch targets behind one interface: `simple_switch_grpc` and the embedded switch."""
