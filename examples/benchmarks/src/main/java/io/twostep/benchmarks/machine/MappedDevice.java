package io.twostep.benchmarks.machine;

import io.twostep.backend.direct.DirectBackendPlugin;
import io.twostep.backend.iommu.IommuBackendPlugin;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.BackendPlugin;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.dma.spi.Timers;
import java.util.Map;

/** A device attached to {@link BenchMachine} through one terminal, and layers above it. */
public final class MappedDevice implements AutoCloseable {
  private final BenchMachine machine;
  private final TerminalBackend backend;
  /** Maps for the device; thread-safe. */
  public final DmaMapper mapper;

  private MappedDevice(BenchMachine machine, BackendPlugin plugin, Map<String, String> settings, LayerBackend... layers) {
    this.machine = machine;
    this.backend = (TerminalBackend) plugin.create(Settings.of(plugin, settings));
    this.mapper = DmaStack.of(backend, layers).attach(machine, "bench", DeviceLimits.UNLIMITED);
  }

  /** Attach behind an IOMMU; {@code stack} is a table format's name, or {@code direct}. */
  public static MappedDevice on(String stack, LayerBackend... layers) {
    return stack.equals("direct")
        ? new MappedDevice(BenchMachine.untranslated(), new DirectBackendPlugin(), Map.of(), layers)
        : new MappedDevice(BenchMachine.translated(stack), new IommuBackendPlugin(), Map.of("flush", "strict"), layers);
  }

  /** Return the machine's memory: the little of it that is backed. */
  public PhysicalMemory memory() {
    return machine.memory();
  }

  /** Return the machine's clock. */
  public Timers timers() {
    return machine.timers();
  }

  /** Return what its translation hardware counted. */
  public CountingIommu counters() {
    return machine.counters();
  }

  /** Attach behind an IOMMU with more memory for tables than usual. */
  public static MappedDevice withTables(String format, long tableBytes) {
    return new MappedDevice(BenchMachine.translated(format, tableBytes), new IommuBackendPlugin(), Map.of("flush", "strict"));
  }

  @Override
  public void close() {
    mapper.close();
    backend.close();
    machine.close();
  }
}
