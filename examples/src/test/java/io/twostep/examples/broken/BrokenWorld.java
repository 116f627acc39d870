package io.twostep.examples.broken;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.spi.AddressRange;
import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.dma.spi.Iommu;
import io.twostep.tck.ForwardingSlot;
import io.twostep.tck.ForwardingSpace;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Mistakes about the device: backends that do not ask what it is. */
final class BrokenWorld {
  private static final Map<Object, AddressSpace> SEEN = new WeakHashMap<>();

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
            context.machine(), context.slot(), new Untranslated(context.space()), context.limits(), context.layer());
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
  private static final class Untranslated extends ForwardingSpace {
    Untranslated(AddressSpace real) {
      super(real);
    }

    @Override
    public Translation translation() {
      return Translation.NONE;
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

  /** Asks the device what it reaches, and not the bus. */
  static Defect.World ignoresTheBus() {
    return context ->
        in(
            context,
            context.space(),
            new ForwardingSpace(context.space()) {
              @Override
              public long busLimit() {
                return -1L;
              }
            });
  }

  /** Keeps nothing out of its addresses. */
  static Defect.World reservesNothing() {
    return context ->
        in(
            context,
            context.space(),
            new ForwardingSpace(context.space()) {
              @Override
              public List<AddressRange> reserved() {
                return List.of();
              }
            });
  }

  /** Takes all addresses of a host for allowed. */
  static Defect.World ignoresWindows() {
    return context -> in(context, context.space(), new Space(context.space(), new Unlimited((HostManagedIommu) context.space().iommu()), slot -> slot));
  }

  /** Keeps tables for each device, and not for each address space. */
  static Defect.World keepsDevicesApart() {
    return context -> in(context, context.slot(), new ForwardingSpace(context.space()));
  }

  /** Returns the context with another address space, which is always the same one for the same {@code key}. */
  private static AttachContext in(AttachContext context, Object key, AddressSpace space) {
    synchronized (SEEN) {
      return new AttachContext(context.machine(), context.slot(), SEEN.computeIfAbsent(key, first -> space), context.limits(), context.layer());
    }
  }

  /** A host that seems to allow every address. */
  private record Unlimited(HostManagedIommu real) implements HostManagedIommu {
    @Override
    public long granule() {
      return real.granule();
    }

    @Override
    public List<AddressRange> windows() {
      return List.of(new AddressRange(0, real.highestIova(), "all there is"));
    }

    @Override
    public long highestIova() {
      return real.highestIova();
    }

    @Override
    public long mappingSlots() {
      return real.mappingSlots();
    }

    @Override
    public boolean enforcesWriteOnly() {
      return real.enforcesWriteOnly();
    }

    @Override
    public void map(long iova, long phys, long length, int access) {
      real.map(iova, phys, length, access);
    }

    @Override
    public long unmap(long iova, long length) {
      return real.unmap(iova, length);
    }

    @Override
    public void onFault(FaultListener listener) {
      real.onFault(listener);
    }
  }
}
