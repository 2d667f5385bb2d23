"""STF, the packet tests of p4c: reads them and plays them on the embedded switch."""
