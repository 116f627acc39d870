package io.twostep.device.vfio.guest;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.FillPattern;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A program that keeps one device writing to random pages of its part of a guest's memory, and knows from outside what every page has to hold.
 *
 * <p>What it expects is no part of the guest: it stays where it is when the guest moves, and {@link #move} shows it the guest's new place. Used by one thread at a time.
 */
public final class GuestWorkload {
  private static final int ENTRIES = 64;
  private static final int MOST_PAGES = 8;
  private static final int COPIES_OF_TEN = 3;

  private final SplittableRandom random;
  private final long start;
  private final long data;
  private final int pages;
  private final long[] seed;
  private final int[] firstWord;
  private final BitSet busy;
  private final @Nullable Pending[] pending = new Pending[ENTRIES];
  private GuestMemory memory;
  private GuestQueue queue;
  private int nextId;
  private long bytes;
  private long completed;
  private long mistakes;

  /** A command under way; its source is -1 unless it copies. */
  private record Pending(int id, int source, int target, int count, long seed) {}

  /**
   * Start a program on a device that runs.
   *
   * @param start guest address of the program's part, on a page
   * @param length bytes of it, whole pages, at least 18
   */
  public GuestWorkload(GuestMemory memory, Mmio registers, long start, long length, long seed) {
    long queueBytes = GuestQueue.bytes(ENTRIES) + GuestMemory.PAGE - 1 & -GuestMemory.PAGE;
    if (length < queueBytes + 2 * MOST_PAGES * GuestMemory.PAGE) {
      throw new IllegalArgumentException("a part of " + length + " bytes is too small for a workload");
    }
    this.memory = memory;
    this.start = start;
    data = start + queueBytes;
    pages = (int) ((length - queueBytes) / GuestMemory.PAGE);
    this.seed = new long[pages];
    firstWord = new int[pages];
    busy = new BitSet(pages);
    random = new SplittableRandom(seed);
    for (int page = 0; page < pages; page++) {
      this.seed[page] = random.nextLong();
      long content = this.seed[page];
      memory.fill(address(page), GuestMemory.PAGE, segment -> FillPattern.fill(segment, 0, segment.byteSize(), content, 0));
    }
    queue = new GuestQueue(memory, registers, 0, start, ENTRIES);
    queue.start();
  }

  private GuestWorkload(GuestWorkload other) {
    memory = other.memory;
    queue = other.queue;
    start = other.start;
    data = other.data;
    pages = other.pages;
    seed = other.seed.clone();
    firstWord = other.firstWord.clone();
    busy = (BitSet) other.busy.clone();
    System.arraycopy(other.pending, 0, pending, 0, ENTRIES);
    random = other.random.split();
    nextId = other.nextId;
    bytes = other.bytes;
    completed = other.completed;
    mistakes = other.mistakes;
  }

  /** Return a copy that expects what this one expects now, for a guest that may be started again from what it is now. */
  public GuestWorkload remember() {
    return new GuestWorkload(this);
  }

  private long address(int page) {
    return data + page * GuestMemory.PAGE;
  }

  /** Go on in another place that holds the same guest, with the device that took over. */
  public void move(GuestMemory memory, Mmio registers) {
    this.memory = memory;
    queue = new GuestQueue(memory, registers, 0, start, ENTRIES);
  }

  /** Take what is completed, and submit until {@code mostBytes} were submitted in all or the queue is full. */
  public void work(long mostBytes) {
    queue.poll(this::completed);
    while (bytes < mostBytes && submitOne()) {
      // until it is enough
    }
  }

  private boolean submitOne() {
    int slot = freeSlot();
    if (slot < 0) {
      return false;
    }
    int count = 1 + random.nextInt(MOST_PAGES);
    int target = random.nextInt(pages - count + 1);
    int source = random.nextInt(pages - count + 1);
    boolean copies = random.nextInt(10) < COPIES_OF_TEN && Math.abs(source - target) >= count && isIdle(source, count);
    if (!isIdle(target, count)) {
      return random.nextInt(8) != 0;
    }
    int id = nextId++ * ENTRIES + slot;
    long content = random.nextLong();
    int opcode = copies ? CommandLayout.COPY : CommandLayout.FILL;
    long length = count * GuestMemory.PAGE;
    if (!queue.trySubmit(opcode, id, copies ? address(source) : 0, address(target), length, content)) {
      return false;
    }
    pending[slot] = new Pending(id, copies ? source : -1, target, count, content);
    busy.set(target, target + count);
    if (copies) {
      busy.set(source, source + count);
    }
    bytes += length;
    return true;
  }

  private int freeSlot() {
    for (int slot = 0; slot < ENTRIES; slot++) {
      if (pending[slot] == null) {
        return slot;
      }
    }
    return -1;
  }

  private boolean isIdle(int page, int count) {
    int next = busy.nextSetBit(page);
    return next < 0 || next >= page + count;
  }

  private void completed(int id, int status) {
    @Nullable Pending done = pending[Integer.remainderUnsigned(id, ENTRIES)];
    if (done == null || done.id != id || status != CommandLayout.SUCCESS) {
      mistakes++;
      return;
    }
    pending[Integer.remainderUnsigned(id, ENTRIES)] = null;
    completed++;
    busy.clear(done.target, done.target + done.count);
    if (done.source >= 0) {
      busy.clear(done.source, done.source + done.count);
    }
    for (int i = 0; i < done.count; i++) {
      boolean copied = done.source >= 0;
      seed[done.target + i] = copied ? seed[done.source + i] : done.seed;
      firstWord[done.target + i] = copied ? firstWord[done.source + i] : i * (int) (GuestMemory.PAGE / Long.BYTES);
    }
  }

  /** Take what is completed and submit nothing; returns whether commands are still under way. */
  public boolean drain() {
    queue.poll(this::completed);
    return queue.waiting() != 0;
  }

  /**
   * Compare every page with what it has to hold; call it when nothing is under way.
   *
   * @return pages that differ, plus completions that failed, came twice or belong to no command
   */
  public long mistakes() {
    long wrong = mistakes;
    MemorySegment all = memory.segment();
    for (int page = 0; page < pages; page++) {
      wrong += FillPattern.matches(all, address(page), GuestMemory.PAGE, seed[page], firstWord[page]) ? 0 : 1;
    }
    return wrong;
  }

  /** Return how many commands were completed. */
  public long completed() {
    return completed;
  }
}
