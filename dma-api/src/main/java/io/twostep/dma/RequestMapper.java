package io.twostep.dma;

import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.Misuse;
import io.twostep.dma.spi.Retirement;
import org.jspecify.annotations.Nullable;

/**
 * Maps the ranges of one request for a {@link DmaTransfer}: reads the source, reserves one window for what can lie in it, links in runs, maps the rest one by
 * one, and publishes once.
 *
 * <p>Nothing is stored for each range of the window: sync reads the source again and places its ranges as mapping did.
 */
final class RequestMapper {
  private final DmaHandle handle;
  private final RangeReader reader = new RangeReader();
  private final WindowLayout layout = new WindowLayout();
  private final EntryEmitter emitter = new EntryEmitter();
  private final SegmentStates segments = new SegmentStates();
  private final TransferPlan plan = new TransferPlan();

  private @Nullable PhysRanges source;

  /** DMA addresses of ranges that need nothing else, at their places in the reader's run. */
  private long[] addresses = {};

  /** Whether such ranges are looked for: not where addresses are translated, nor when the stack has left one to be mapped by itself at once. */
  private boolean inPlace;

  private long bytes;
  private int runCount;
  private boolean inOneRun;
  private long checksum;
  private long stretch;

  private boolean window;
  private boolean contiguous;

  /** Where the window begins, in the layout's offsets, and how long it is; what is linked begins {@code linkedFrom} into it. */
  private long windowFirst;

  private long windowLength;
  private long linkedFrom;

  RequestMapper(DmaHandle handle) {
    this.handle = handle;
  }

  /** Read the source and say what mapping it would be like. */
  TransferPlan plan(PhysRanges source) {
    try {
      summarise(source, null);
      return plan;
    } finally {
      reader.finish();
    }
  }

  /** Map a request and return how many entries the sink took; after a failure {@link #takeDown} is due. */
  long map(PhysRanges source, int flags, DmaSink sink) {
    try {
      reader.start(source, handle.pins());
      if (reader.takeOnly(handle.stack())) {
        return mapOnly(flags, sink);
      }
      summarise();
      long entries = mapSummarised(source, flags, sink, handle.mapper().deviceLimits());
      this.source = source;
      return entries;
    } finally {
      reader.finish();
      emitter.forget();
    }
  }

  /** Map a request as one range for the device, never cut; null if it is one, else why it cannot be. After a failure or a refusal {@link #takeDown} is due. */
  @Nullable String mapLinear(PhysRanges source, int flags, LinearSink sink) {
    try {
      summarise(source, handle.pins());
      String refusal = whyNotLinear();
      if (refusal != null) {
        return refusal;
      }
      sink.start();
      mapSummarised(source, flags, sink, DeviceLimits.UNLIMITED);
      return null;
    } catch (SinkRefused e) {
      return "their DMA addresses do not follow each other, and this stack does not translate them";
    } finally {
      reader.finish();
      emitter.forget();
    }
  }

  /** Say what speaks against one range for the device before anything is mapped, or nothing. */
  private @Nullable String whyNotLinear() {
    if (plan.ranges() == 0) {
      throw new IllegalArgumentException(handle.stack().device + ": an empty source has no address; give at least one range");
    }
    if (plan.windowed() != 0 && plan.windowed() != plan.ranges()) {
      return "some of them are peer memory reached by bus address and some are not";
    }
    if (plan.windowed() == 0) {
      return handle.revocables().severalProviders() ? "they are peer memory of several devices" : null;
    }
    return handle.stack().translates && !plan.isOneWindow()
        ? "an inner edge lies off the alignment of " + Hex.of(handle.stack().alignMask + 1) + " that I/O addresses keep"
        : null;
  }

  /** Map a request that is not linear by copying its ranges together, and return its DMA address; the source is read anew. */
  long gather(PhysRanges source, int flags) {
    GatheredRanges gathered = new GatheredRanges();
    reader.start(source, handle.pins());
    try {
      for (int count = reader.next(handle.stack()); count > 0; count = reader.next(handle.stack())) {
        gathered.add(reader.phys, reader.length, reader.kind, count);
      }
    } finally {
      reader.finish();
    }
    if (gathered.bytes() != plan.bytes() || gathered.kinds() != 1 << RangeKind.LOCAL) {
      throw changed();
    }
    bytes = gathered.bytes();
    handle.segments(segments);
    return segments.gather(handle.stack(), gathered, flags, handle.own());
  }

  /** Map the only range of a request: there is nothing to plan, to lay out or to join. */
  private long mapOnly(int flags, DmaSink sink) {
    AttachedStack stack = handle.stack();
    handle.segments(segments);
    int kind = reader.kind[0];
    bytes = reader.length[0];
    long dmaAddress = segments.map(stack, reader.phys[0], bytes, withKind(flags, kind), 0, handle.own());
    return emitter.only(sink, stack.device, handle.mapper().deviceLimits(), dmaAddress, bytes, kind);
  }

  private long mapSummarised(PhysRanges source, int flags, DmaSink sink, DeviceLimits limits) {
    AttachedStack stack = handle.stack();
    handle.segments(segments);
    bytes = plan.bytes();
    if (plan.windowed() > 1 && stack.translates) {
      reserve(flags);
    }
    inPlace = !stack.translates;
    emitter.start(sink, stack.device, limits);
    layout.start(stack.alignMask);
    if (inOneRun) {
      mapRun(runCount, 0, flags);
    } else {
      mapAgain(source, flags);
    }
    long entries = emitter.finish();
    if (window) {
      stack.ops.publish(handle.state(), linkedFrom, windowLength - linkedFrom, handle.own());
    }
    return entries;
  }

  private void summarise(PhysRanges source, @Nullable RegionPins pins) {
    reader.start(source, pins);
    summarise();
  }

  /** Read the source, which is at its beginning, once; what fits one run stays in the reader's arrays. */
  private void summarise() {
    AttachedStack stack = handle.stack();
    plan.start(handle.mapper().deviceLimits());
    layout.start(stack.alignMask);
    int runs = 0;
    runCount = 0;
    checksum = 0;
    for (int count = reader.next(stack); count > 0; count = reader.isEnded() ? 0 : reader.next(stack)) {
      runs++;
      runCount = count;
      add(count, stack.alignMask);
      if (runs > 1 || !reader.isEnded()) {
        checksum = reader.fold(checksum, count);
      }
    }
    inOneRun = runs <= 1;
    plan.end(stack.translates, layout.stretches());
  }

  private void add(int count, long alignMask) {
    boolean stretch = reader.isStretch(alignMask);
    if (!stretch || !plan.tryAddStretch(reader.phys, reader.length, count, reader.bytes(), reader.innerEdges())) {
      plan.add(reader.phys, reader.length, reader.kind, count);
    }
    if (stretch) {
      layout.place(reader.phys[0], reader.bytes());
    } else {
      layout.place(reader.phys, reader.length, reader.kind, count);
    }
  }

  private void reserve(int flags) {
    AttachedStack stack = handle.stack();
    long skipped = stack.skipped(layout.first());
    windowFirst = layout.first() - skipped;
    windowLength = layout.end() - windowFirst;
    linkedFrom = skipped;
    contiguous = layout.stretches() == 1 && plan.windowed() == plan.ranges();
    stack.ops.reserve(handle.state(), stack.offsetInGranule(windowFirst), windowLength, stack.alignment, -1L, flags);
    window = true;
  }

  private void mapAgain(PhysRanges source, int flags) {
    AttachedStack stack = handle.stack();
    reader.start(source, handle.pins());
    long offset = 0;
    long again = 0;
    for (int count = reader.next(stack); count > 0 && offset <= bytes; count = reader.next(stack)) {
      offset = mapRun(count, offset, flags);
      again = reader.fold(again, count);
    }
    if (offset != bytes || again != checksum) {
      throw changed();
    }
  }

  private IllegalArgumentException changed() {
    handle.refused(Misuse.SOURCE_CHANGED, "map or sync", 0, bytes);
    return new IllegalArgumentException(
        handle.stack().device + ": the source gave other ranges when it was read again; it must not change until unmap");
  }

  /** Map the reader's current run; returns the request offset behind it. */
  private long mapRun(int count, long requestOffset, int flags) {
    long offset = requestOffset;
    int i = 0;
    while (i < count) {
      if (window && reader.kind[i] != RangeKind.BUS_PEER) {
        i = linkStretch(i, count, flags);
        offset += stretch;
      } else if (inPlace && reader.kind[i] == RangeKind.LOCAL) {
        int mapped = mapInPlace(i, count, flags);
        offset += emitter.add(addresses, reader.length, i, i + mapped);
        i += mapped;
      } else {
        mapOne(i, offset, flags);
        offset += reader.length[i++];
      }
    }
    return offset;
  }

  /** Link ranges of one kind that follow each other without a gap in the window; returns the index behind them. */
  private int linkStretch(int from, int count, int flags) {
    AttachedStack stack = handle.stack();
    long[] phys = reader.phys;
    long[] length = reader.length;
    int kind = reader.kind[from];
    int to = count;
    if (from == 0 && reader.isStretch(stack.alignMask)) {
      stretch = reader.bytes();
      layout.place(phys[0], stretch);
    } else {
      to = layout.placeStretch(phys, length, reader.kind, from, count);
      stretch = 0;
      for (int i = from; i < to; i++) {
        stretch += length[i];
      }
    }
    long offset = layout.end() - stretch - windowFirst;
    if (offset < 0 || stretch > windowLength - offset) {
      throw changed();
    }
    stack.ops.linkRun(handle.state(), offset, phys, length, from, to, withKind(flags, kind), handle.own());
    emitter.add(handle.state().dmaAddress + offset, stretch, RangeKind.LOCAL);
    return to;
  }

  /** Map local ranges of the run from {@code from} on as far as they need nothing but an address, and return how many those are; if none, the others of the request go one by one. */
  private int mapInPlace(int from, int count, int flags) {
    int to = from + 1;
    while (to < count && reader.kind[to] == RangeKind.LOCAL) {
      to++;
    }
    if (addresses.length < count) {
      addresses = new long[reader.phys.length];
    }
    int mapped = handle.stack().ops.mapInPlace(reader.phys, reader.length, from, to, flags, addresses);
    inPlace = mapped != 0;
    return mapped;
  }

  private void mapOne(int i, long requestOffset, int flags) {
    int kind = reader.kind[i];
    long dmaAddress =
        segments.map(
            handle.stack(), reader.phys[i], reader.length[i], withKind(flags, kind), requestOffset, handle.own());
    emitter.add(dmaAddress, reader.length[i], kind);
  }

  /** Return the flags of a request with what a kind of memory adds. */
  static int withKind(int flags, int kind) {
    return switch (kind) {
      case RangeKind.BRIDGE_PEER -> flags | MapFlags.PEER;
      case RangeKind.BUS_PEER -> flags | MapFlags.BUS_PEER;
      default -> flags;
    };
  }

  /** Take down whatever is mapped; returns the first failure. */
  @Nullable RuntimeException takeDown(Retirement retirement) {
    RuntimeException failure = segments.takeDown(handle, retirement);
    if (window) {
      window = false;
      failure = DmaHandle.join(failure, handle.takeDownState(true, retirement));
    }
    source = null;
    return failure;
  }

  /** Return the DMA address of the first entry, if there was one. */
  long firstAddress() {
    return emitter.firstAddress();
  }

  /** Return the summary of the latest request. */
  TransferPlan plan() {
    return plan;
  }

  /** Return the bytes of the mapped request. */
  long bytes() {
    return bytes;
  }

  boolean needsSync() {
    return segments.needsSync() || windowNeedsSync();
  }

  private boolean windowNeedsSync() {
    return window && handle.state().has(MapFlags.NEEDS_SYNC);
  }

  private boolean windowHearsSync() {
    return window && (handle.state().flags & MapFlags.HEARS_SYNC) != 0;
  }

  /** Return the state of the request's first range that has one of its own on the handle's stack, or null. */
  @Nullable MappingState firstSegment() {
    return segments.first();
  }

  /** Move ownership of a part of the request. */
  void sync(long offset, long length, int toward) {
    if (segments.hearsSync()) {
      segments.sync(handle.stack().ops, offset, length, toward);
    }
    if (windowHearsSync()) {
      if (contiguous) {
        handle.stack().ops.sync(handle.state(), linkedFrom + offset, length, toward);
      } else {
        syncStretches(offset, offset + length, toward);
      }
    }
  }

  private void syncStretches(long from, long to, int toward) {
    PhysRanges again = source;
    if (again == null) {
      return;
    }
    AttachedStack stack = handle.stack();
    reader.start(again, null);
    layout.start(stack.alignMask);
    try {
      long offset = 0;
      for (int count = reader.next(stack); count > 0 && offset < to; count = reader.next(stack)) {
        for (int i = 0; i < count && offset < to; i++) {
          if (reader.kind[i] != RangeKind.BUS_PEER) {
            syncRange(i, offset, from, to, toward);
          }
          offset += reader.length[i];
        }
      }
    } finally {
      reader.finish();
    }
  }

  /** Sync what lies in {@code from .. to} of the range that starts at {@code offset} of the request. */
  private void syncRange(int i, long offset, long from, long to, int toward) {
    long placed = layout.place(reader.phys[i], reader.length[i]) - windowFirst;
    long partFrom = Math.max(from, offset);
    long partTo = Math.min(to, offset + reader.length[i]);
    if (partFrom >= partTo) {
      return;
    }
    long at = placed + (partFrom - offset);
    if (at < 0 || partTo - partFrom > windowLength - at) {
      throw changed();
    }
    handle.stack().ops.sync(handle.state(), at, partTo - partFrom, toward);
  }
}
