package io.twostep.backend.debug;

import io.twostep.dma.DmaMapper;
import io.twostep.machine.model.ProbeDevice;

/** A device of a history and its mapper. */
record Driver(String address, ProbeDevice device, DmaMapper mapper) {}
