package io.twostep.examples.broken;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.TableFormat;
import io.twostep.dma.spi.TableWalkingIommu;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.UnaryOperator;

/** Mistakes in what is asked of translation hardware, made by standing in front of it. */
class BrokenHardware implements TableWalkingIommu {
  private static final Map<AddressSpace, AddressSpace> SEEN = new WeakHashMap<>();

  private final TableWalkingIommu real;

  BrokenHardware(TableWalkingIommu real) {
    this.real = real;
  }

  static Defect.World forgetsPublish() {
    return context ->
        seenWith(
            context,
            real ->
                new BrokenHardware(real) {
                  @Override
                  public void publish(long firstIova, long lastIova) {}
                });
  }

  static Defect.World forgetsInvalidation() {
    return context ->
        seenWith(
            context,
            real ->
                new BrokenHardware(real) {
                  @Override
                  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {}
                });
  }

  static Defect.World invalidatesOneGranule() {
    return context ->
        seenWith(
            context,
            real ->
                new BrokenHardware(real) {
                  @Override
                  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
                    super.invalidate(firstIova, firstIova | 0xfff, tablesChanged);
                  }
                });
  }

  static Defect.World forgetsThatTablesChanged() {
    return context ->
        seenWith(
            context,
            real ->
                new BrokenHardware(real) {
                  @Override
                  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
                    super.invalidate(firstIova, lastIova, false);
                  }
                });
  }

  static Defect.World swallowsFailure() {
    return context ->
        seenWith(
            context,
            real ->
                new BrokenHardware(real) {
                  @Override
                  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
                    try {
                      super.invalidate(firstIova, lastIova, tablesChanged);
                    } catch (RuntimeException e) {
                      // The mistake: as if it had worked.
                    }
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

  @Override
  public void publish(long firstIova, long lastIova) {
    real.publish(firstIova, lastIova);
  }

  @Override
  public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
    real.invalidate(firstIova, lastIova, tablesChanged);
  }

  @Override
  public long highestIova() {
    return real.highestIova();
  }

  @Override
  public void onFault(FaultListener listener) {
    real.onFault(listener);
  }

  @Override
  public List<TableFormat> formats() {
    return real.formats();
  }

  @Override
  public MemorySegment tableView() {
    return real.tableView();
  }

  @Override
  public long tableBase() {
    return real.tableBase();
  }

  @Override
  public void setRoot(TableFormat format, long rootPhys, int levels) {
    real.setRoot(format, rootPhys, levels);
  }

  @Override
  public void clearRoot() {
    real.clearRoot();
  }
}
