package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.iommu.IommuConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaStack;
import io.twostep.dma.DmaTransfer;
import io.twostep.dma.InvalidationBatch;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachinePlugin;
import io.twostep.tck.ProbeDevice;
import io.twostep.tck.Ranges;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Random histories of a device that does not see CPU caches, on a machine that keeps both views apart line by line and may write dirty lines back at any
 * moment: every handle, both terminals, with and without a bounce layer, batches that complete late, every byte compared, neighbours included.
 */
class NonCoherentHistoryTest {
  private static final int ROUNDS = 300;
  private static final int AREA = 1 << 16;
  private static final int LINE = 64;
  private static final int PAGE = 4096;

  @ParameterizedTest(name = "{0}, bounce {1}, cache {2}")
  @CsvSource({
    "direct, false, quiet",
    "direct, false, adversarial",
    "direct, true, quiet",
    "direct, true, adversarial",
    "iommu, false, quiet",
    "iommu, false, adversarial",
    "iommu, true, quiet",
    "iommu, true, adversarial",
  })
  @Tag("may-break:device-used-beyond-end+device-used-hole+device-used-unknown-address+device-used-unlinked+device-used-unmapped")
  @Tag("may-break:device-used-wrong-direction")
  void bytesArriveBothWaysAndNeighboursKeepTheirs(String terminal, boolean bounce, String cache) {
    long seed = Long.getLong("twostep.seed", System.nanoTime());
    try (History history = new History(terminal.equals("iommu"), bounce, cache, seed)) {
      for (int i = 0; i < ROUNDS; i++) {
        history.round();
      }
      history.requireEveryKindSeen();
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError("-Dtwostep.seed=" + seed + ": " + e.getMessage(), e);
    }
  }

  /** A sync of a part of what is mapped. */
  private interface Sync {
    void of(long offset, long length);
  }

  /** What a handle of any kind does for a range of the block. */
  private record Handle(LongUnaryOperator dmaAddress, Sync toCpu, Sync toDevice, Consumer<InvalidationBatch> teardown) {
    long address(long offset) {
      return dmaAddress.applyAsLong(offset);
    }
  }

  private static final class History implements AutoCloseable {
    private final boolean bounce;
    private final boolean translates;
    private final Random random;
    private final ModelMachine machine;
    private final ProbeDevice device = new ProbeDevice();
    private final TerminalBackend backend;
    private final SwiotlbBackend layer = new SwiotlbBackend(Rig.CONFIG);
    private final DmaMapper mapper;
    private final MemoryBlock block;

    /** What the CPU must find in the block, byte for byte, where it owns it. */
    private final byte[] expected = new byte[AREA];

    private final int[] kinds = new int[4];
    private int refused;

    private final List<SparseWindow> closing = new ArrayList<>();
    private int lateWrites;

    /** What was done with the handle of this round. */
    private final List<String> log = new ArrayList<>();

    private int kind;

    History(boolean translates, boolean bounce, String cache, long seed) {
      this.translates = translates;
      this.bounce = bounce;
      random = new Random(seed);
      Map<String, String> settings = Map.of("memory", "64M", "cache", cache, "seed", Long.toString(seed & 0xffff), "iotlb", "adversarial");
      machine = (ModelMachine) new ModelMachinePlugin().create(Settings.of(new ModelMachinePlugin(), settings));
      SlotOptions options = SlotOptions.DEFAULT.withCoherent(false);
      DeviceSlot slot =
          machine.plug(new DeviceAddress("0000:01:00.0"), device, translates ? options : options.withTranslation(Translation.NONE));
      slot.busMaster(true);
      backend = translates ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
      List<LayerBackend> layers = bounce ? List.of(layer) : List.of();
      mapper = DmaStack.of(backend, layers).attach(machine, slot, DeviceLimits.UNLIMITED);
      block = machine.memory().allocate(AREA, MemoryPlacement.CONTIGUOUS);
      random.nextBytes(expected);
      cpuWrite(0, expected);
    }

    private void cpuWrite(long offset, byte[] bytes) {
      machine.memory().write(block.phys(0) + offset, MemorySegment.ofArray(bytes), 0, bytes.length);
      System.arraycopy(bytes, 0, expected, (int) offset, bytes.length);
    }

    private byte[] cpuRead(long offset, int length) {
      byte[] bytes = new byte[length];
      machine.memory().read(block.phys(0) + offset, MemorySegment.ofArray(bytes), 0, length);
      return bytes;
    }

    private byte[] someBytes(int length) {
      byte[] bytes = new byte[length];
      random.nextBytes(bytes);
      return bytes;
    }

    void round() {
      log.clear();
      kind = random.nextInt(4);
      boolean window = kind == 3;
      if (window && !translates) {
        kind = 0;
        window = false;
      }
      int step = window ? PAGE : random.nextBoolean() ? LINE : 1;
      int length = step * (1 + random.nextInt((window ? 4 : 3 * PAGE / step)));
      int offset = random.nextInt((AREA - length) / step) * step;
      DmaDirection direction = DmaDirection.values()[random.nextInt(3)];
      Handle handle;
      try {
        handle = open(kind, offset, length, direction);
      } catch (DmaMappingException e) {
        assertThat(e.reason()).isEqualTo(Reason.COHERENCE_REQUIRED);
        assertThat(bounce).as("the bounce layer takes what shares a line").isFalse();
        assertThat((offset | length) % LINE).isNotZero();
        refused++;
        return;
      }
      assertThat(bounce || (offset | length) % LINE == 0).as("0x%x+0x%x shares a line", offset, length).isTrue();
      kinds[kind]++;
      use(handle, offset, length, direction);
      tearDown(handle, offset, length, direction);
      closing.forEach(SparseWindow::close);
      closing.clear();
      requireSame("CPU finds", cpuRead(0, AREA), 0, offset, length);
    }

    private void use(Handle handle, int offset, int length, DmaDirection direction) {
      for (int i = 0; i < 6; i++) {
        int from = random.nextInt(length);
        int bytes = 1 + random.nextInt(Math.min(length - from, 600));
        if (direction != DmaDirection.FROM_DEVICE) {
          int joined = contiguous(handle, from, bytes);
          requireSame("device reads", device.read(handle.address(from), joined), offset + from, offset, length);
        }
        if (direction != DmaDirection.TO_DEVICE) {
          byte[] in = someBytes(contiguous(handle, from, bytes));
          device.write(handle.address(from), in);
          System.arraycopy(in, 0, expected, offset + from, in.length);
          log.add("device wrote 0x%x+0x%x".formatted(offset + from, in.length));
          if (random.nextBoolean()) {
            handle.toCpu.of(from, in.length);
            requireSame("CPU reads", cpuRead(offset + from, in.length), offset + from, offset, length);
            handle.toDevice.of(from, in.length);
            log.add("taken and handed back");
          }
        }
        if (random.nextBoolean()) {
          handle.toCpu.of(from, bytes);
          cpuWrite(offset + from, someBytes(bytes));
          handle.toDevice.of(from, bytes);
          log.add("CPU took, wrote and handed over 0x%x+0x%x".formatted(offset + from, bytes));
        }
        disturbNeighbours(offset, length);
      }
    }

    /** Until the batch completes the memory is the device's; what it can still write must be there afterwards, and its neighbours too. */
    private void tearDown(Handle handle, int offset, int length, DmaDirection direction) {
      int at = random.nextInt(length);
      int most = Math.min(LINE - (offset + at) % LINE, length - at);
      long address = handle.address(at);
      byte[] late = someBytes(contiguous(handle, at, most));
      try (InvalidationBatch batch = mapper.newBatch()) {
        handle.teardown.accept(batch);
        boolean tries = direction != DmaDirection.TO_DEVICE && random.nextBoolean();
        if (tries && device.tryWrite(address, late)) {
          System.arraycopy(late, 0, expected, offset + at, late.length);
          log.add("device wrote 0x%x+0x%x before the batch completed".formatted(offset + at, late.length));
          lateWrites++;
        }
        disturbNeighbours(offset, length);
      }
    }

    /** How many of the bytes follow each other for the device. */
    private static int contiguous(Handle handle, int from, int bytes) {
      int end = 1;
      while (end < bytes && handle.address(from + end) == handle.address(from) + end) {
        end++;
      }
      return end;
    }

    /** The CPU goes on using what lies next to the range, in the same line too if the line was bounced. */
    private void disturbNeighbours(int offset, int length) {
      if (offset > 0) {
        cpuWrite(Math.max(0, offset - 1 - random.nextInt(LINE)), someBytes(1));
        cpuWrite(offset - 1, someBytes(1));
      }
      if (offset + length < AREA) {
        cpuWrite(offset + length, someBytes(1));
      }
    }

    private void requireSame(String who, byte[] now, int at, int offset, int length) {
      int differs = Arrays.mismatch(now, Arrays.copyOfRange(expected, at, at + now.length));
      if (differs >= 0) {
        fail(
            "%s 0x%02x and not 0x%02x at 0x%x, handle of kind %d over 0x%x+0x%x, after%n%s",
            who, now[differs], expected[at + differs], at + differs, kind, offset, length, String.join("\n", log));
      }
    }

    private Handle open(int kind, int offset, int length, DmaDirection direction) {
      long phys = block.phys(0) + offset;
      return switch (kind) {
        case 0 -> mapping(phys, length, direction);
        case 1 -> translates ? reservation(phys, length, direction) : mapping(phys, length, direction);
        case 2 -> transfer(phys, length, direction);
        default -> window(phys, length, direction);
      };
    }

    private Handle mapping(long phys, int length, DmaDirection direction) {
      DmaMapping mapping = mapper.map(phys, length, direction, DmaAttributes.NONE);
      return new Handle(
          offset -> mapping.dmaAddress() + offset,
          mapping::syncForCpu,
          mapping::syncForDevice,
          batch -> {
            mapping.unmap(batch);
            mapping.close();
          });
    }

    /** Links the range in up to three pieces that meet on granules. */
    private Handle reservation(long phys, int length, DmaDirection direction) {
      IovaReservation window = mapper.newReservation();
      try {
        window.tryAlloc(phys, length, direction, DmaAttributes.NONE);
        long at = 0;
        while (at < length) {
          long toGranule = PAGE - (phys + at & PAGE - 1);
          long bytes = random.nextBoolean() ? length - at : Math.min(length - at, toGranule);
          window.link(at, phys + at, bytes);
          at += bytes;
        }
        window.sync(0, length);
      } catch (DmaMappingException e) {
        window.close();
        throw e;
      }
      return new Handle(
          offset -> window.address() + offset,
          window::syncForCpu,
          window::syncForDevice,
          batch -> {
            window.destroy(batch);
            window.close();
          });
    }

    /** Maps the range as a request of several ranges, cut on lines, so that what is refused is what shares a line at its ends. */
    private Handle transfer(long phys, int length, DmaDirection direction) {
      List<long[]> entries = new ArrayList<>();
      Ranges ranges = new Ranges();
      for (long at = 0; at < length; ) {
        long toLine = LINE - (phys + at & LINE - 1);
        long most = length - at;
        long bytes = ranges.list().size() >= 4 || most <= toLine ? most : Math.min(most, toLine + LINE * (long) random.nextInt(20));
        ranges.add(phys + at, bytes);
        at += bytes;
      }
      DmaTransfer transfer = mapper.newTransfer();
      try {
        transfer.map(ranges, direction, DmaAttributes.NONE, (address, bytes, kind) -> entries.add(new long[] {address, bytes}));
      } catch (DmaMappingException e) {
        transfer.close();
        throw e;
      }
      return new Handle(
          offset -> addressOf(entries, offset),
          transfer::syncForCpu,
          transfer::syncForDevice,
          batch -> {
            transfer.unmap(batch);
            transfer.close();
          });
    }

    /** Follows the entries to a byte of the request. */
    private static long addressOf(List<long[]> entries, long offset) {
      long left = offset;
      for (long[] entry : entries) {
        if (left < entry[1]) {
          return entry[0] + left;
        }
        left -= entry[1];
      }
      throw new AssertionError("offset " + offset + " is in no entry");
    }

    private Handle window(long phys, int length, DmaDirection direction) {
      SparseWindow window = mapper.newWindow(16 * PAGE, PAGE, direction, DmaAttributes.NONE);
      long base = random.nextInt(16 - length / PAGE) * (long) PAGE;
      window.link(base, phys, length, direction);
      return new Handle(
          offset -> window.address() + base + offset,
          (offset, bytes) -> window.syncForCpu(base + offset, bytes),
          (offset, bytes) -> window.syncForDevice(base + offset, bytes),
          batch -> {
            window.unlink(base, length, batch);
            closing.add(window);
          });
    }

    void requireEveryKindSeen() {
      for (int kind = 0; kind < (translates ? 4 : 3); kind++) {
        assertThat(kinds[kind]).as("rounds of kind %d", kind).isPositive();
      }
      assertThat(refused > 0).isEqualTo(!bounce);
      assertThat(lateWrites).as("writes between teardown and the completion of its batch").isPositive();
    }

    @Override
    public void close() {
      mapper.close();
      assertThat(layer.statistics().usedSlots()).isZero();
      layer.close();
      backend.close();
      block.close();
      machine.close();
    }
  }
}
