package io.twostep.examples.broken;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.ConfigSpace;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.OffsetWindow;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Mistakes about the device: backends that do not ask what it is. */
final class BrokenWorld {
  private BrokenWorld() {}

  static Defect.World ignoresReach() {
    return context -> new AttachContext(context.machine(), context.slot(), context.space(), DeviceLimits.UNLIMITED, context.layer());
  }

  static Defect.World trustsEverybody() {
    return context -> seenAs(context, slot -> new Slot(slot, true, slot.coherent()));
  }

  static Defect.World ignoresCoherence() {
    return context -> seenAs(context, slot -> new Slot(slot, slot.trusted(), true));
  }

  private static AttachContext seenAs(AttachContext context, UnaryOperator<DeviceSlot> slot) {
    AddressSpace space = new Space(context.space(), null, slot);
    return new AttachContext(context.machine(), slot.apply(context.slot()), space, context.limits(), context.layer());
  }

  /** An address space with other hardware or other members. */
  record Space(AddressSpace real, @Nullable Iommu other, UnaryOperator<DeviceSlot> member) implements AddressSpace {
    @Override
    public String name() {
      return real.name();
    }

    @Override
    public Translation translation() {
      return real.translation();
    }

    @Override
    public Iommu iommu() {
      return other == null ? real.iommu() : other;
    }

    @Override
    public List<DeviceSlot> members() {
      return real.members().stream().map(member).toList();
    }

    @Override
    public List<AddressRange> reserved() {
      return real.reserved();
    }

    @Override
    public List<OffsetWindow> offsetWindows() {
      return real.offsetWindows();
    }

    @Override
    public long busLimit() {
      return real.busLimit();
    }
  }

  /** A slot that seems to be something else. */
  private record Slot(DeviceSlot real, boolean trusted, boolean coherent) implements DeviceSlot {
    @Override
    public DeviceAddress address() {
      return real.address();
    }

    @Override
    public ConfigSpace config() {
      return real.config();
    }

    @Override
    public Bar bar(int bar) {
      return real.bar(bar);
    }

    @Override
    public Mmio mmio(int bar) {
      return real.mmio(bar);
    }

    @Override
    public MemorySegment memory(int bar) {
      return real.memory(bar);
    }

    @Override
    public Interrupts interrupts() {
      return real.interrupts();
    }

    @Override
    public void busMaster(boolean enabled) {
      real.busMaster(enabled);
    }

    @Override
    public void reset() {
      real.reset();
    }
  }
}
