package io.twostep.examples.broken;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.ForwardingIommu;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.UnaryOperator;

/** Mistakes in what is asked of translation hardware, made by standing in front of it. */
final class BrokenHardware {
  private static final Map<AddressSpace, AddressSpace> SEEN = new WeakHashMap<>();

  private BrokenHardware() {}

  static Defect.World forgetsPublish() {
    return context ->
        seenWith(
            context,
            hardware ->
                new ForwardingIommu(hardware) {
                  @Override
                  public void publish(long firstIova, long lastIova) {}
                });
  }

  static Defect.World forgetsInvalidation() {
    return invalidating((hardware, firstIova, lastIova, tablesChanged) -> {});
  }

  static Defect.World invalidatesOneGranule() {
    return invalidating((hardware, firstIova, lastIova, tablesChanged) -> hardware.invalidate(firstIova, firstIova | 0xfff, tablesChanged));
  }

  static Defect.World forgetsThatTablesChanged() {
    return invalidating((hardware, firstIova, lastIova, tablesChanged) -> hardware.invalidate(firstIova, lastIova, false));
  }

  static Defect.World swallowsFailure() {
    return invalidating(
        (hardware, firstIova, lastIova, tablesChanged) -> {
          try {
            hardware.invalidate(firstIova, lastIova, tablesChanged);
          } catch (RuntimeException e) {
            // The mistake: as if it had worked.
          }
        });
  }

  /** What hardware is asked for when it should invalidate. */
  interface Invalidation {
    void of(TableWalkingIommu hardware, long firstIova, long lastIova, boolean tablesChanged);
  }

  private static Defect.World invalidating(Invalidation mistake) {
    return context ->
        seenWith(
            context,
            hardware ->
                new ForwardingIommu(hardware) {
                  @Override
                  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
                    mistake.of(real, firstIova, lastIova, tablesChanged);
                  }
                });
  }

  /** Returns the context with other hardware; one address space is always shown as the same one. */
  static AttachContext seenWith(AttachContext context, UnaryOperator<TableWalkingIommu> other) {
    if (!(context.space().translation() == AddressSpace.Translation.TRANSLATED && context.space().iommu() instanceof TableWalkingIommu real)) {
      return context;
    }
    AddressSpace seen;
    synchronized (SEEN) {
      seen = SEEN.computeIfAbsent(context.space(), space -> new BrokenWorld.Space(space, other.apply(real), slot -> slot));
    }
    return new AttachContext(context.machine(), context.slot(), seen, context.limits(), context.layer());
  }
}
