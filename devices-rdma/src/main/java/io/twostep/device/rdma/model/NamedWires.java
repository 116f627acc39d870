package io.twostep.device.rdma.model;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/** The wires of this JVM that have names: how adapters that are made by name, on machines that know nothing of each other, are connected. Thread-safe. */
final class NamedWires {
  private static final Map<String, NamedWires> WIRES = new HashMap<>();

  private final Wire.Lane[] lanes = new Wire.Lane[2];
  private final boolean[] taken = new boolean[2];

  private NamedWires() {}

  /**
   * Plug into a wire, the first of two to do so or the second. A wire whose ends are both pulled out is forgotten.
   *
   * @param faults how it mistreats what is sent from here
   * @throws IllegalArgumentException if both ends are taken
   */
  static WireEnd plug(String name, WireFaults faults, long seed) {
    synchronized (WIRES) {
      NamedWires wire = WIRES.computeIfAbsent(name, n -> new NamedWires());
      int end = wire.taken[0] ? 1 : 0;
      if (wire.taken[end]) {
        throw new IllegalArgumentException("setting 'wire' of hca is '" + name + "', which two adapters are plugged into already; name another wire");
      }
      wire.taken[end] = true;
      Wire.Lane out = wire.lane(end);
      out.mistreat(faults, new SplittableRandom(seed + end));
      Wire.Lane in = wire.lane(1 - end);
      in.open();
      return new WireEnd(out, in, () -> wire.unplug(name, end));
    }
  }

  private Wire.Lane lane(int from) {
    if (lanes[from] == null) {
      lanes[from] = new Wire.Lane(WireFaults.NONE, new SplittableRandom(0));
      lanes[from].close();
    }
    return lanes[from];
  }

  private void unplug(String name, int end) {
    synchronized (WIRES) {
      taken[end] = false;
      if (!taken[0] && !taken[1]) {
        WIRES.remove(name, this);
      }
    }
  }
}
