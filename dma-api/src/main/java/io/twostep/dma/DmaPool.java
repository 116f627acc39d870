package io.twostep.dma;

import io.twostep.dma.spi.Misuse;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Small coherent elements of one size, cut from coherent buffers; grows as needed and gives back on close.
 *
 * <p>Thread-safe. Taking and freeing an element of a grown pool allocates nothing.
 */
public final class DmaPool implements AutoCloseable {
  private static final long PAGE = 4096;
  private static final long MOST = 1L << 40;

  private final DmaMapper mapper;
  private final long elementSize;
  private final long stride;
  private final List<DmaBuffer> buffers = new ArrayList<>();
  private final List<Element> free = new ArrayList<>();
  private int total;
  private boolean closed;

  DmaPool(DmaMapper mapper, long elementSize, long alignment) {
    if (elementSize <= 0) {
      refused(mapper, Misuse.BAD_LENGTH, "newPool", 0, elementSize);
    }
    if (elementSize <= 0 || elementSize > MOST || alignment <= 0 || alignment > MOST || (alignment & (alignment - 1)) != 0) {
      throw new IllegalArgumentException(
          mapper.slot().address()
              + ": a pool of elements of "
              + elementSize
              + " bytes aligned to "
              + alignment
              + ": the size must be positive, the alignment a power of two, both at most "
              + MOST);
    }
    this.mapper = mapper;
    this.elementSize = elementSize;
    this.stride = (elementSize + alignment - 1) & -alignment;
  }

  /**
   * Take an element; its bytes are whatever its last user left.
   *
   * @throws DmaMappingException if the pool had to grow and could not
   * @throws IllegalStateException if the pool is closed
   */
  public synchronized Element allocate() {
    if (closed) {
      refused(mapper, Misuse.CLOSED, "allocate", 0, elementSize);
      throw new IllegalStateException(mapper.slot().address() + ": the pool is closed");
    }
    if (free.isEmpty()) {
      grow();
    }
    Element element = free.removeLast();
    element.take();
    return element;
  }

  /** Add a page of elements, or one that is larger; so none that fits a page crosses one: device descriptor rules are stated in pages. */
  private void grow() {
    DmaBuffer buffer = mapper.allocateCoherent(Math.max(PAGE, stride));
    buffers.add(buffer);
    MemorySegment segment = buffer.segment();
    for (long at = 0; at + elementSize <= segment.byteSize(); at += stride) {
      free.add(new Element(this, segment.asSlice(at, elementSize), buffer.dmaAddress() + at));
      total++;
    }
  }

  private static void refused(DmaMapper mapper, Misuse misuse, String call, long first, long length) {
    mapper.currentStack().ops.refused(null, misuse, call, first, length);
  }

  private synchronized void giveBack(Element element) {
    free.add(element);
  }

  /** Return how many elements are taken now. */
  public synchronized int taken() {
    return total - free.size();
  }

  /**
   * Free the pool's memory; may be repeated.
   *
   * @throws IllegalStateException if elements are still taken; the pool stays usable
   * @throws DmaMappingException QUARANTINED if the device could not be proved away from some of it; the pool is closed all the same
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    if (taken() != 0) {
      throw new IllegalStateException(
          mapper.slot().address() + ": " + taken() + " elements of the pool are still taken; free them first");
    }
    closed = true;
    free.clear();
    total = 0;
    RuntimeException failure = null;
    for (DmaBuffer buffer : buffers) {
      try {
        buffer.close();
      } catch (RuntimeException e) {
        failure = DmaHandle.join(failure, e);
      }
    }
    buffers.clear();
    if (failure != null) {
      throw failure;
    }
  }

  /** One element of a pool. */
  public static final class Element {
    private static final VarHandle TAKEN;

    static {
      try {
        TAKEN = MethodHandles.lookup().findVarHandle(Element.class, "taken", boolean.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    private final DmaPool pool;
    private final MemorySegment segment;
    private final long dmaAddress;

    @SuppressWarnings("unused") // written through TAKEN
    private boolean taken;

    private Element(DmaPool pool, MemorySegment segment, long dmaAddress) {
      this.pool = pool;
      this.segment = segment;
      this.dmaAddress = dmaAddress;
    }

    private void take() {
      TAKEN.setRelease(this, true);
    }

    /** Return the CPU's view. */
    public MemorySegment segment() {
      return segment;
    }

    /** Return the address the device uses for the first byte. */
    public long dmaAddress() {
      return dmaAddress;
    }

    /**
     * Give the element back to its pool.
     *
     * @throws IllegalStateException if it is not taken
     */
    public void free() {
      if (!TAKEN.compareAndSet(this, true, false)) {
        refused(pool.mapper, Misuse.NOT_TAKEN, "free", dmaAddress, segment.byteSize());
        throw new IllegalStateException(
            pool.mapper.slot().address() + ": the pool's element at " + Hex.of(dmaAddress) + " is not taken; it was freed before");
      }
      pool.giveBack(this);
    }
  }
}
