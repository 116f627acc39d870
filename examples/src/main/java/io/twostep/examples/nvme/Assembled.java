package io.twostep.examples.nvme;

import io.twostep.device.nvme.NvmeController;
import io.twostep.platform.DeviceBuilder;
import io.twostep.platform.Platform;
import io.twostep.platform.PlatformBuilder;
import io.twostep.platform.PluginSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A machine with one controller, modelled or its own, driven by one strategy through one stack. */
final class Assembled implements AutoCloseable {
  static final String ADDRESS = "0000:01:00.0";

  final Platform platform;
  final NvmeController controller;

  /**
   * Assemble and bring up.
   *
   * @param store the file behind the namespace
   * @param size bytes of the namespace, whole blocks
   * @param meter counts what the stack does; null for none, and no cost
   */
  Assembled(NvmeWorkload work, StackChoice stack, Strategy strategy, Path store, long size, @Nullable Meter meter) {
    platform = describe(work, stack, strategy, store, size, meter).build();
    try {
      controller = platform.open(work.address(), NvmeController.class);
    } catch (RuntimeException e) {
      try {
        platform.close();
      } catch (RuntimeException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  /** Describe the platform of a run; building it checks what the user chose. */
  static PlatformBuilder describe(
      NvmeWorkload work, StackChoice stack, Strategy strategy, Path store, long size, @Nullable Meter meter) {
    PlatformBuilder builder = Platform.builder().machine(work.machine());
    List<String> backends = new ArrayList<>(stack.backends());
    if (meter != null) {
      builder.plugins(PluginSource.of(new MeterPlugin(meter)));
      backends.addFirst(MeterPlugin.NAME);
    }
    boolean countsTableWrites = meter != null && stack.backends().contains("iommu");
    for (Map.Entry<String, String> setting : work.machineSettings().entrySet()) {
      builder.set(setting.getKey(), setting.getValue());
    }
    if (!work.isModelled()) {
      stack.machineSettings().forEach(builder::set);
      return builder.device(work.device(), device -> describeDriver(device.backends(backends), work, stack, strategy));
    }
    return builder.device(
        ADDRESS,
        "nvme",
        device -> {
          device
              .backends(backends)
              .set("translation", stack.isUntranslated() ? "none" : "translated")
              .set("file", store.toString())
              .set("size", Long.toString(size))
              .set("block-size", Integer.toString(NvmeWorkload.BLOCK))
              .set("io-queues", Integer.toString(work.queues()))
              .set("queue-entries", Integer.toString(work.queueDepth() + 1));
          if (countsTableWrites) {
            device.set("iommu.count-table-writes", "true");
          }
          describeDriver(device, work, stack, strategy);
        });
  }

  private static void describeDriver(DeviceBuilder device, NvmeWorkload work, StackChoice stack, Strategy strategy) {
    device
        .set("driver.io-queues", Integer.toString(work.queues()))
        .set("driver.queue-depth", Integer.toString(work.queueDepth() + 1))
        .set("driver.mapping", strategy.text());
    if (strategy == Strategy.PER_PAGE) {
      // The driver would choose an SGL by the caller's ranges, and be handed more entries than those.
      device.set("driver.sgl-threshold", "0");
    }
    stack.settings().forEach(device::set);
  }

  @Override
  public void close() {
    platform.close();
  }
}
