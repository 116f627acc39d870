package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;

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
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TerminalBackend;
import io.twostep.machine.model.FailNth;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/** Two devices that share a pool smaller than they want, each with a quota, while calls of the machine fail, stacks are replaced and devices are detached under live mappings. */
class SharedPoolHistoryTest {
  private static final int LANE = 40 << 10;
  private static final int LANES = 12;
  private static final List<FailNth.Kind> FAILING = List.of(FailNth.Kind.ALLOCATE, FailNth.Kind.PUBLISH, FailNth.Kind.INVALIDATE);
  private static final Set<Reason> TO_BE_EXPECTED =
      EnumSet.of(Reason.BOUNCE_EXHAUSTED, Reason.QUOTA, Reason.QUARANTINED, Reason.NOT_BACKED, Reason.TABLE_MEMORY, Reason.BACKEND, Reason.DETACHED);

  @Test
  void noByteOfEitherDeviceIsLostOrMixedUpAndNoSlotStaysTaken() {
    long seed = Seeds.next();
    for (boolean translated : new boolean[] {true, false}) {
      try {
        new History(Seeds.random(seed), translated).run(1500);
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("repeat with -Dtwostep.seed=%d; translated: %s".formatted(seed, translated), e);
      }
    }
  }

  /** A device and its mapper of now. */
  private static final class Side {
    final ProbeDevice device = new ProbeDevice();
    final DeviceSlot slot;
    DmaMapper mapper;

    Side(ModelMachine machine, DmaStack stack, String address, SlotOptions options) {
      slot = machine.plug(new DeviceAddress(address), device, options);
      slot.busMaster(true);
      mapper = stack.attach(machine, slot, DeviceLimits.UNLIMITED);
    }
  }

  private static final class History {
    private final RandomGenerator random;
    private final boolean translated;
    private final ModelMachine machine;
    private final TerminalBackend terminal;
    private final SwiotlbBackend layer;
    private final DmaStack stack;
    private final Side[] sides;
    private final MemoryBlock block;
    private final byte[] expected;
    private final DmaMapping[] mappings = new DmaMapping[LANES];
    private final Side[] owners = new Side[LANES];
    private final int[] offsets = new int[LANES];
    private int refused;
    private int unconfirmed;

    History(RandomGenerator random, boolean translated) {
      this.random = random;
      this.translated = translated;
      machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M", "iotlb", "adversarial", "seed", Integer.toString(random.nextInt(1000)))));
      terminal = translated ? new IommuBackend(IommuConfig.defaults()) : new DirectBackend();
      layer = new SwiotlbBackend(new SwiotlbConfig(128 << 10, 128 << 10, 1, true, 96 << 10, true));
      stack = DmaStack.of(terminal, layer);
      SlotOptions options =
          translated ? SlotOptions.DEFAULT.withTrusted(false).withGroup("both") : SlotOptions.DEFAULT.withTranslation(Translation.NONE).withGroup("both");
      sides = new Side[] {new Side(machine, stack, "0000:01:00.0", options), new Side(machine, stack, "0000:02:00.0", options)};
      block = machine.memory().allocate(LANE * LANES, MemoryPlacement.CONTIGUOUS);
      Rig.fill(block.segment(), 1);
      expected = Rig.bytes(block.segment(), 0, LANE * LANES);
    }

    void run(int steps) {
      for (int step = 0; step < steps; step++) {
        int lane = random.nextInt(LANES);
        if (random.nextBoolean()) {
          machine.failNth().arm(FAILING.get(random.nextInt(FAILING.size())), 1 + random.nextInt(2));
        }
        switch (random.nextInt(12)) {
          case 0 -> attempt(() -> sides[random.nextInt(2)].mapper.restack(stack));
          case 1 -> replace(sides[random.nextInt(2)]);
          default -> {
            if (mappings[lane] == null) {
              map(lane);
            } else if (random.nextInt(3) == 0) {
              unmap(lane);
            } else {
              use(lane);
            }
          }
        }
        machine.failNth().disarm();
        recover();
        if (step % 20 == 0) {
          requireBytes(step);
        }
      }
      for (int lane = 0; lane < LANES; lane++) {
        if (mappings[lane] != null) {
          unmap(lane);
        }
      }
      recover();
      requireBytes(steps);
      assertThat(refused).as("requests refused on the way").isPositive();
      assertThat(unconfirmed).as("teardowns that were not confirmed, which nothing but translation can cause").matches(count -> (count > 0) == translated);
      assertThat(layer.statistics().usedSlots()).as("slots used").isZero();
      for (Side side : sides) {
        assertThat(side.mapper.liveMappings() + side.mapper.quarantined()).as("live and quarantined").isZero();
        side.mapper.close();
      }
      assertThat(layer.statistics().lostSlots()).as("slots lost").isZero();
      layer.close();
      terminal.close();
      block.close();
      assertThat(machine.stats().framesInUse()).as("frames in use").isZero();
      machine.close();
    }

    private void attempt(Runnable call) {
      try {
        call.run();
      } catch (DmaMappingException e) {
        assertThat(e.reason()).as(e.getMessage()).isIn(TO_BE_EXPECTED);
        refused++;
      }
    }

    /** Reset whatever had a teardown that could not be confirmed, as its driver must. */
    private void recover() {
      for (Side side : sides) {
        if (side.mapper.quarantined() != 0) {
          unconfirmed++;
          side.slot.reset();
          side.slot.busMaster(true);
          assertThat(side.mapper.releaseQuarantined()).as("quarantined after a reset").isZero();
        }
      }
    }

    /** Detach a device under its mappings, which are torn down afterwards, and attach it anew. */
    private void replace(Side side) {
      if (random.nextInt(4) != 0) {
        return;
      }
      side.mapper.detach();
      for (int lane = 0; lane < LANES; lane++) {
        if (owners[lane] == side && mappings[lane] != null) {
          unmap(lane);
        }
      }
      machine.failNth().disarm();
      recover();
      DmaMapper before = side.mapper;
      assertThat(before.liveMappings()).isZero();
      before.close();
      side.mapper = stack.attach(machine, side.slot, DeviceLimits.UNLIMITED);
    }

    private void map(int lane) {
      Side side = sides[random.nextInt(2)];
      int offset = lane * LANE + random.nextInt(5000);
      int length = 1 + random.nextInt(34_000);
      DmaDirection direction = random.nextBoolean() ? DmaDirection.FROM_DEVICE : DmaDirection.BIDIRECTIONAL;
      attempt(
          () -> {
            mappings[lane] = side.mapper.map(block.phys(offset), length, direction, DmaAttributes.NONE);
            owners[lane] = side;
            offsets[lane] = offset;
          });
    }

    private void use(int lane) {
      DmaMapping mapping = mappings[lane];
      int length = (int) mapping.length();
      int from = random.nextInt(length);
      byte[] bytes = new byte[1 + random.nextInt(length - from)];
      random.nextBytes(bytes);
      assertThat(owners[lane].device.tryWrite(mapping.dmaAddress() + from, bytes)).as("a write to lane %d", lane).isTrue();
      System.arraycopy(bytes, 0, expected, offsets[lane] + from, bytes.length);
      if (random.nextBoolean()) {
        mapping.syncForCpu(from, bytes.length);
        assertThat(Rig.bytes(block.segment(), offsets[lane] + from, bytes.length)).as("synced from lane %d", lane).isEqualTo(bytes);
      }
    }

    private void unmap(int lane) {
      attempt(mappings[lane]::close);
      mappings[lane] = null;
    }

    /** Require the bytes of every lane that nothing is mapped in. */
    private void requireBytes(int step) {
      for (int lane = 0; lane < LANES; lane++) {
        if (mappings[lane] == null) {
          byte[] lanes = Arrays.copyOfRange(expected, lane * LANE, (lane + 1) * LANE);
          assertThat(Rig.bytes(block.segment(), (long) lane * LANE, LANE)).as("lane %d at step %d, translated %s", lane, step, translated).isEqualTo(lanes);
        }
      }
    }
  }
}
