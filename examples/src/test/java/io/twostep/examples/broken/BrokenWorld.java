package io.twostep.examples.broken;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.tck.ForwardingSlot;
import io.twostep.tck.ForwardingSpace;
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

  /** Takes every address space for one that nothing translates. */
  static Defect.World seesNoTranslation() {
    return context ->
        new AttachContext(
            context.machine(), context.slot(), new Untranslated(new Space(context.space(), null, slot -> slot)), context.limits(), context.layer());
  }

  private static AttachContext seenAs(AttachContext context, UnaryOperator<DeviceSlot> slot) {
    AddressSpace space = new Space(context.space(), null, slot);
    return new AttachContext(context.machine(), slot.apply(context.slot()), space, context.limits(), context.layer());
  }

  /** An address space with other hardware or other members. */
  static final class Space extends ForwardingSpace {
    private final @Nullable Iommu other;
    private final UnaryOperator<DeviceSlot> member;

    Space(AddressSpace real, @Nullable Iommu other, UnaryOperator<DeviceSlot> member) {
      super(real);
      this.other = other;
      this.member = member;
    }

    @Override
    public Iommu iommu() {
      return other == null ? real.iommu() : other;
    }

    @Override
    public List<DeviceSlot> members() {
      return real.members().stream().map(member).toList();
    }
  }

  /** An address space that seems not to be translated. */
  private record Untranslated(Space real) implements AddressSpace {
    @Override
    public String name() {
      return real.name();
    }

    @Override
    public Translation translation() {
      return Translation.NONE;
    }

    @Override
    public Iommu iommu() {
      return real.iommu();
    }

    @Override
    public List<DeviceSlot> members() {
      return real.members();
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
  private static final class Slot extends ForwardingSlot {
    private final boolean trusted;
    private final boolean coherent;

    Slot(DeviceSlot real, boolean trusted, boolean coherent) {
      super(real);
      this.trusted = trusted;
      this.coherent = coherent;
    }

    @Override
    public boolean trusted() {
      return trusted;
    }

    @Override
    public boolean coherent() {
      return coherent;
    }
  }
}
