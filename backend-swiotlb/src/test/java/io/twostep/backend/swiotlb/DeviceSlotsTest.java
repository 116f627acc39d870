package io.twostep.backend.swiotlb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.swiotlb.pool.SlotRules;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.ForwardingMemory;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import io.twostep.tck.ProbeDevice;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** One device's slots where the machine's memory fails in ways that no contract names. */
class DeviceSlotsTest {
  private static final int SIZE = 128 << 10;

  /** Memory that throws what it is told to instead of allocating. */
  private static final class FailingMemory extends ForwardingMemory {
    private @Nullable Supplier<Throwable> failure;

    FailingMemory(PhysicalMemory real) {
      super(real);
    }

    @Override
    public MemoryBlock allocate(long length, MemoryPlacement placement, long highestPhys) {
      Supplier<Throwable> told = failure;
      if (told == null) {
        return real.allocate(length, placement, highestPhys);
      }
      failure = null;
      throw DeviceSlotsTest.<RuntimeException>asIs(told.get());
    }
  }

  /** Passes a throwable off as unchecked, as it is. */
  @SuppressWarnings("unchecked")
  private static <T extends Throwable> T asIs(Throwable thrown) throws T {
    throw (T) thrown;
  }

  @Test
  void memoryThatThrowsLeavesTheQuotaAsItWas() {
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "4M")))) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new ProbeDevice(), SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      AttachContext context = new AttachContext(machine, slot, machine.addressSpaceFor(slot), DeviceLimits.UNLIMITED, 0);
      FailingMemory memory = new FailingMemory(machine.memory());
      SwiotlbConfig config = SwiotlbConfig.defaults().withSize(SIZE, SIZE).withAreas(1).withQuota(SIZE);
      SpacePool pool = new SpacePool(config, SlotReach.of(context, false), memory);
      DeviceSlots slots = new DeviceSlots(context, pool, new SlotRules(0, 0, -1L), SIZE, true, SpacePool::close);

      memory.failure = () -> new IllegalStateException("the machine is busy");
      assertThatThrownBy(() -> slots.take(SIZE, 0, 1)).isInstanceOf(IllegalStateException.class);
      memory.failure = () -> new OutOfMemoryError("the CPU has none");
      assertThatThrownBy(() -> slots.take(SIZE, 0, 1)).isInstanceOf(OutOfMemoryError.class);

      long at = slots.take(SIZE, 0, 1);
      assertThat(pool.pool.statistics().used()).isEqualTo(SIZE / SlotRules.SLOT);
      slots.giveBack(at);
      slots.close();
      assertThat(machine.stats().framesInUse()).isZero();
    }
  }
}
