package io.twostep.dma;

import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Maps a whole request, in whatever structure the caller keeps it, on every backend: summarise, reserve once, link in runs, sync once.
 *
 * <p>Behind an IOMMU all host ranges share one window; without one each range is mapped as it is. Peer memory mixes freely. Used by one
 * thread at a time; reusable after unmap; a warm handle allocates nothing.
 */
public final class DmaTransfer extends DmaHandle {
  private final RangeReader reader = new RangeReader();
  private final WindowLayout layout = new WindowLayout();
  private final EntryEmitter emitter = new EntryEmitter();
  private final SegmentStates segments = new SegmentStates();
  private final Plan plan = new Plan();
  private final Collected collected = new Collected();

  private @Nullable PhysRanges source;
  private @Nullable AttachedStack segmentStack;
  private long bytes;
  private boolean window;
  private boolean contiguous;
  private long windowStart;
  private long linkedFrom;
  private long linkedLength;
  private int runCount;
  private boolean runHoldsAll;

  DmaTransfer(DmaMapper mapper) {
    super(mapper);
  }

  /**
   * Summarise a source without mapping it; for choosing a descriptor format beforehand.
   *
   * @return a view that is overwritten by the next plan or map of this transfer
   * @throws DmaMappingException NOT_BACKED or PEER_UNREACHABLE as mapping would
   */
  public Plan plan(PhysRanges source) {
    summarise(source, null);
    reader.finish();
    return plan;
  }

  /**
   * Map a request and hand its entries to the sink, in order.
   *
   * @param source the ranges; unchanged until unmap
   * @param attributes {@link DmaAttributes}
   * @return how many entries the sink took; 0 for an empty source, which is mapped all the same; -1 if the sink refused one and everything is
   *     undone
   * @throws DmaMappingException if any range cannot be mapped; nothing is mapped then
   * @throws IllegalArgumentException for a range of length 0 or that wraps, or a source whose second pass differs from its first
   */
  public long map(PhysRanges source, DmaDirection direction, int attributes, DmaSink sink) {
    int flags = requestFlags(direction, attributes);
    claim();
    long entries;
    try {
      entries = mapClaimed(source, flags, sink);
    } catch (RuntimeException e) {
      undo();
      abandon();
      if (e instanceof SinkRefused) {
        return -1;
      }
      throw e;
    } finally {
      reader.finish();
    }
    this.source = source;
    activate();
    return entries;
  }

  private long mapClaimed(PhysRanges source, int flags, DmaSink sink) {
    AttachedStack stack = stack();
    if (segmentStack != stack) {
      segments.rebind();
      segmentStack = stack;
    }
    window = false;
    summarise(source, pins());
    bytes = plan.bytes;
    long firstPass = reader.checksum();
    if (plan.windowed > 1 && stack.translates) {
      reserveWindow(flags);
    }
    emitter.start(sink, stack.device, mapper().deviceLimits());
    layout.start(alignMask());
    if (runHoldsAll) {
      mapRun(runCount, 0, flags);
    } else {
      mapSecondPass(source, flags, firstPass);
    }
    long entries = emitter.finish();
    if (window) {
      stack.ops.publish(state(), linkedFrom, linkedLength, own());
    }
    return entries;
  }

  /** Read the source once; what fits one run stays in the reader's arrays. */
  private void summarise(PhysRanges source, @Nullable RegionPins pins) {
    AttachedStack stack = stack();
    reader.start(source, stack, pins);
    plan.start(mapper().deviceLimits());
    layout.start(alignMask());
    int runs = 0;
    runCount = 0;
    for (int count = reader.next(); count > 0; count = reader.next()) {
      runs++;
      runCount = count;
      for (int i = 0; i < count; i++) {
        plan.add(reader.phys[i], reader.length[i], reader.kind[i]);
        if (reader.kind[i] != RangeKind.BUS_PEER) {
          layout.place(reader.phys[i], reader.length[i]);
        }
      }
      if (reader.isEnded()) {
        break;
      }
    }
    runHoldsAll = runs <= 1 && reader.isEnded();
    plan.end(stack.translates, layout.stretches());
  }

  private long alignMask() {
    return Math.max(stack().granule - 1, mapper().deviceLimits().minAlignMask());
  }

  private void reserveWindow(int flags) {
    AttachedStack stack = stack();
    windowStart = layout.first() & (stack.granule - 1);
    stack.ops.reserve(state(), windowStart, layout.end() - windowStart, alignMask() + 1, -1L, flags);
    window = true;
    linkedFrom = layout.first() - windowStart;
    linkedLength = layout.end() - layout.first();
    contiguous = layout.stretches() == 1 && plan.windowed == plan.ranges;
  }

  private void mapSecondPass(PhysRanges source, int flags, long firstPass) {
    reader.start(source, stack(), pins());
    long offset = 0;
    for (int count = reader.next(); count > 0; count = reader.next()) {
      if (offset > bytes) {
        break;
      }
      offset = mapRun(count, offset, flags);
    }
    if (reader.checksum() != firstPass || offset != bytes) {
      throw new IllegalArgumentException(
          stack().device + ": the source gave other ranges when it was read again; it must not change until unmap");
    }
  }

  /** Map the reader's current run; returns the request offset behind it. */
  private long mapRun(int count, long requestOffset, int flags) {
    long offset = requestOffset;
    int i = 0;
    while (i < count) {
      if (window && reader.kind[i] != RangeKind.BUS_PEER) {
        int to = linkStretch(i, count, flags);
        while (i < to) {
          offset += reader.length[i++];
        }
      } else {
        mapOne(i, offset, flags);
        offset += reader.length[i++];
      }
    }
    return offset;
  }

  /** Link ranges of one kind that follow each other without a gap in the window; returns the index behind them. */
  private int linkStretch(int from, int count, int flags) {
    long[] phys = reader.phys;
    long[] length = reader.length;
    int kind = reader.kind[from];
    long at = layout.place(phys[from], length[from]);
    long end = layout.end();
    int to = from + 1;
    long mask = alignMask();
    while (to < count && reader.kind[to] == kind && ((end | phys[to]) & mask) == 0) {
      layout.place(phys[to], length[to]);
      end = layout.end();
      to++;
    }
    int kindFlags = kind == RangeKind.BRIDGE_PEER ? flags | MapFlags.PEER : flags;
    stack().ops.linkRun(state(), at - windowStart, phys, length, from, to, kindFlags, own());
    emitter.add(state().dmaAddress + (at - windowStart), end - at, RangeKind.LOCAL);
    return to;
  }

  private void mapOne(int i, long requestOffset, int flags) {
    AttachedStack stack = stack();
    int kind = reader.kind[i];
    int kindFlags = kind == RangeKind.BRIDGE_PEER ? flags | MapFlags.PEER : flags;
    long dmaAddress =
        segments.map(stack, reader.phys[i], reader.length[i], kindFlags, requestOffset, own());
    emitter.add(dmaAddress, reader.length[i], kind);
  }

  private void undo() {
    AttachedStack stack = stack();
    segments.unmapAll(stack.ops, own());
    if (window) {
      window = false;
      stack.ops.release(state(), own());
    }
  }

  /** Return the bytes of the mapped request. */
  public long length() {
    requireActive();
    return bytes;
  }

  /** Tell whether ownership must be moved by sync calls. */
  public boolean needsSync() {
    requireActive();
    return window ? state().has(MapFlags.NEEDS_SYNC) || segments.needsSync() : segments.needsSync();
  }

  /** Take bytes {@code offset .. offset + length} of the request over from the device, so that the CPU reads what it wrote. */
  public void syncForCpu(long offset, long length) {
    syncRequest(offset, length, DmaOps.TOWARD_CPU);
  }

  /** Hand bytes {@code offset .. offset + length} of the request over to the device, so that it reads what the CPU wrote. */
  public void syncForDevice(long offset, long length) {
    syncRequest(offset, length, DmaOps.TOWARD_DEVICE);
  }

  private void syncRequest(long offset, long length, int toward) {
    requireActive();
    if (offset < 0 || length <= 0 || length > bytes - offset) {
      throw new IllegalArgumentException(
          stack().device + ": " + Hex.range(offset, length) + " is outside this request of " + Hex.of(bytes) + " bytes");
    }
    DmaOps ops = stack().ops;
    if (segments.needsSync()) {
      segments.sync(ops, offset, length, toward);
    }
    if (window && state().has(MapFlags.NEEDS_SYNC)) {
      if (contiguous) {
        ops.sync(state(), linkedFrom + offset, length, toward);
      } else {
        syncStretches(offset, length, toward);
      }
    }
  }

  /** Find again where each range lies in the window: nothing per range is stored. */
  private void syncStretches(long offset, long length, int toward) {
    PhysRanges from = source;
    if (from == null) {
      return;
    }
    long end = offset + length;
    long at = 0;
    reader.start(from, stack(), null);
    layout.start(alignMask());
    for (int count = reader.next(); count > 0 && at < end; count = reader.next()) {
      for (int i = 0; i < count && at < end; i++) {
        long bytesHere = reader.length[i];
        if (reader.kind[i] != RangeKind.BUS_PEER) {
          long placed = layout.place(reader.phys[i], bytesHere) - windowStart;
          long partFrom = Math.max(offset, at);
          long partTo = Math.min(end, at + bytesHere);
          if (partFrom < partTo) {
            stack().ops.sync(state(), placed + (partFrom - at), partTo - partFrom, toward);
          }
        }
        at += bytesHere;
      }
    }
    reader.finish();
  }

  /**
   * Unmap and go idle; when this returns the memory is the caller's again.
   *
   * @throws IllegalStateException unless mapped
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from the memory
   */
  public void unmap() {
    unmapWith(null);
  }

  /** Unmap and go idle; the memory is the caller's again once {@code batch} completes. */
  public void unmap(InvalidationBatch batch) {
    unmapWith(batch);
  }

  private void unmapWith(@Nullable InvalidationBatch batch) {
    claimTeardown();
    try {
      segments.unmapAll(stack().ops, retirementOf(batch));
      if (window) {
        window = false;
        stack().ops.release(state(), retirementOf(batch));
      }
    } finally {
      finishTeardown(batch);
      source = null;
      collected.clear();
    }
  }

  @Override
  void tearDown() {
    unmapWith(null);
  }

  /**
   * Start collecting a request range by range, for callers without a structure of their own.
   *
   * @param maxBytes the most bytes the request may have, positive
   * @throws IllegalStateException unless idle
   */
  public void begin(long maxBytes, DmaDirection direction, int attributes) {
    requestFlags(direction, attributes);
    if (maxBytes <= 0) {
      throw new IllegalArgumentException(stack().device + ": maxBytes " + maxBytes + " must be positive");
    }
    requireIdle();
    collected.begin(maxBytes, direction, attributes);
  }

  /**
   * Add a range to the request being collected.
   *
   * @return false, and nothing is added, if the request would exceed its bytes or the entries the device takes
   */
  public boolean add(long phys, long length) {
    requireIdle();
    requirePhysRange(phys, length);
    return collected.add(phys, length, mapper().deviceLimits().maxSegments());
  }

  /** Map what was collected; as {@link #map}. After a failure the transfer is idle and the collection is empty. */
  public long finish(DmaSink sink) {
    requireIdle();
    DmaDirection direction = collected.direction();
    boolean mapped = false;
    try {
      long entries = map(collected, direction, collected.attributes(), sink);
      mapped = entries >= 0;
      return entries;
    } finally {
      if (!mapped) {
        collected.clear();
      }
    }
  }

  /** What a request will be like, known before anything is mapped. */
  public static final class Plan {
    private long bytes;
    private long ranges;
    private long windowed;
    private long maxEntries;
    private long gapMask;
    private int kinds;
    private boolean oneWindow;

    private long previousEnd;
    private long maxLength;
    private long boundaryMask;

    private Plan() {}

    private void start(DeviceLimits limits) {
      bytes = 0;
      ranges = 0;
      windowed = 0;
      maxEntries = 0;
      gapMask = 0;
      kinds = 0;
      oneWindow = false;
      maxLength = limits.maxSegmentLength();
      boundaryMask = limits.segmentBoundaryMask();
    }

    private void add(long phys, long length, int kind) {
      if (ranges != 0) {
        gapMask |= previousEnd | phys;
      }
      previousEnd = phys + length;
      bytes = Math.addExact(bytes, length);
      ranges++;
      kinds |= 1 << kind;
      if (kind != RangeKind.BUS_PEER) {
        windowed++;
      }
      maxEntries += (length - 1) / maxLength + 1;
      if (boundaryMask != -1L) {
        maxEntries += Long.divideUnsigned(length - 1, boundaryMask + 1) + 1;
      }
    }

    private void end(boolean translates, int stretches) {
      oneWindow = ranges <= 1 || (translates && stretches == 1 && windowed == ranges);
    }

    /** Return the bytes of the request. */
    public long bytes() {
      return bytes;
    }

    /** Return how many ranges there are after adjacent ones were joined. */
    public long ranges() {
      return ranges;
    }

    /** Return the most entries the sink may be given. */
    public long maxEntries() {
      return maxEntries;
    }

    /** Return the bits in which any inner edge differs from 0: an alignment fits all inner edges iff {@code gapMask & (alignment - 1)} is 0. */
    public long gapMask() {
      return gapMask;
    }

    /** Return which {@link RangeKind}s occur, as bits {@code 1 << kind}. */
    public int kinds() {
      return kinds;
    }

    /** Tell whether the request will be one contiguous range for the device, before it is cut to segment limits. */
    public boolean isOneWindow() {
      return oneWindow;
    }
  }

  /** The ranges of a request that is collected call by call. */
  private static final class Collected implements PhysRanges {
    private long[] phys = new long[16];
    private long[] length = new long[16];
    private int count;
    private int position;
    private long bytes;
    private long maxBytes;
    private int attributes;
    private @Nullable DmaDirection direction;

    void begin(long maxBytes, DmaDirection direction, int attributes) {
      clear();
      this.maxBytes = maxBytes;
      this.direction = direction;
      this.attributes = attributes;
    }

    boolean add(long p, long n, int maxRanges) {
      direction();
      if (n > maxBytes - bytes || count >= maxRanges) {
        return false;
      }
      if (count == phys.length) {
        phys = Arrays.copyOf(phys, count * 2);
        length = Arrays.copyOf(length, count * 2);
      }
      phys[count] = p;
      length[count++] = n;
      bytes += n;
      return true;
    }

    DmaDirection direction() {
      DmaDirection begun = direction;
      if (begun == null) {
        throw new IllegalStateException("call begin() first");
      }
      return begun;
    }

    int attributes() {
      return attributes;
    }

    void clear() {
      count = 0;
      position = 0;
      bytes = 0;
      maxBytes = 0;
      direction = null;
    }

    @Override
    public void rewind() {
      position = 0;
    }

    @Override
    public int fill(long[] toPhys, long[] toLength) {
      int n = Math.min(count - position, Math.min(toPhys.length, toLength.length));
      System.arraycopy(phys, position, toPhys, 0, n);
      System.arraycopy(length, position, toLength, 0, n);
      position += n;
      return n;
    }
  }
}
