package io.twostep.machine.model;

import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.Settings;
import java.util.HashMap;
import java.util.Map;

/** Machines for tests. */
public final class Machines {
  public static final DeviceAddress FIRST = new DeviceAddress("0000:01:00.0");
  public static final DeviceAddress SECOND = new DeviceAddress("0000:02:00.0");

  private Machines() {}

  /** A small machine with the given settings, alternating names and values. */
  public static ModelMachine of(String... settings) {
    Map<String, String> given = new HashMap<>(Map.of("memory", "256M", "seed", Long.toString(seed())));
    for (int i = 0; i < settings.length; i += 2) {
      given.put(settings[i], settings[i + 1]);
    }
    return (ModelMachine) new ModelMachinePlugin().create(Settings.of(new ModelMachinePlugin(), given));
  }

  /** The seed of this run: {@code -Dtwostep.seed=} repeats one. */
  public static long seed() {
    return Long.getLong("twostep.seed", 20_261_121L);
  }
}
