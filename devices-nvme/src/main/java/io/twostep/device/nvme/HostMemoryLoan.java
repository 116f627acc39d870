package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.HostMemoryBufferLayout;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.PhysicalMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Host memory that a controller borrows for itself, and the list that tells it where (Base 8.9). The CPU never looks at it.
 *
 * <p>Behind translation it is scattered frames in one window, so one descriptor, whatever the state of the machine's memory; elsewhere contiguous pieces, the
 * largest that there are. Closed only once the controller has given it back or is stopped.
 */
final class HostMemoryLoan implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HostMemoryLoan.class);

  private final int pageSize;
  private final List<DmaBuffer> buffers = new ArrayList<>();
  private final List<Piece> pieces = new ArrayList<>();
  private @Nullable MemoryBlock block;
  private @Nullable IovaReservation window;
  private long length;
  private @Nullable DmaBuffer list;

  private record Piece(long dmaAddress, long length) {}

  private HostMemoryLoan(int pageSize) {
    this.pageSize = pageSize;
  }

  /** Allocate what the controller asks for, or as much as is to be had; null if that is less than it needs, or it asks for nothing. */
  static @Nullable HostMemoryLoan tryAllocate(ControllerCore core, PhysicalMemory memory) {
    ControllerFacts facts = core.facts();
    long wanted = Math.min(facts.hostMemoryPreferred(), core.config().hostMemory()) & -core.pageSize();
    long least = Math.max(facts.hostMemoryMinimum(), core.pageSize());
    if (facts.hostMemoryPreferred() == 0 || wanted < least) {
      return null;
    }
    HostMemoryLoan loan = new HostMemoryLoan(core.pageSize());
    boolean allocated = false;
    try {
      allocated = loan.tryAllocate(core.mapper(), memory, wanted, least, facts);
    } catch (DmaMappingException e) {
      LOG.warn("{}: the controller gets no host memory: its list cannot be allocated", core.name(), e);
    } finally {
      if (!allocated) {
        loan.close();
      }
    }
    if (!allocated) {
      LOG.warn("{}: the controller gets no host memory: there is less than the {} bytes it needs", core.name(), least);
    }
    return allocated ? loan : null;
  }

  private boolean tryAllocate(DmaMapper mapper, PhysicalMemory memory, long wanted, long least, ControllerFacts facts) {
    if (!mapper.limits().translates() || !tryWindow(mapper, memory, wanted)) {
      addPieces(mapper, wanted, Math.max(facts.hostMemoryPiece(), pageSize), facts.hostMemoryPieces());
    }
    if (length < least) {
      return false;
    }
    writeList(mapper);
    return true;
  }

  /** Show scattered frames to the controller as one range. */
  private boolean tryWindow(DmaMapper mapper, PhysicalMemory memory, long bytes) {
    try {
      MemoryBlock frames = memory.allocate(bytes, MemoryPlacement.SCATTERED);
      block = frames;
      IovaReservation reservation = mapper.newReservation();
      window = reservation;
      // The controller alone writes and reads it, in whole pages: memory that must be bounced or synchronised is of no use.
      if (reservation.tryAlloc(0, bytes, pageSize, -1L, DmaDirection.BIDIRECTIONAL, DmaAttributes.REQUIRE_COHERENT, false)) {
        reservation.link(0, frames.ranges());
        reservation.sync(0, bytes);
        add(reservation.address(), bytes);
        return true;
      }
    } catch (DmaMappingException e) {
      LOG.debug("no window of {} bytes for a controller; trying pieces", bytes, e);
    }
    closeWindow();
    return false;
  }

  private void closeWindow() {
    IovaReservation reservation = window;
    MemoryBlock frames = block;
    window = null;
    block = null;
    if (reservation != null) {
      // Where this throws, the frames are quarantined and must not be used again.
      reservation.close();
    }
    if (frames != null) {
      frames.close();
    }
  }

  private void addPieces(DmaMapper mapper, long wanted, long smallest, int most) {
    long size = Long.highestOneBit(wanted);
    while (length < wanted && pieces.size() < most) {
      size = Math.min(size, Long.highestOneBit(wanted - length));
      if (size < smallest) {
        return;
      }
      DmaBuffer buffer = tryPiece(mapper, size);
      if (buffer == null) {
        size >>= 1;
      } else {
        buffers.add(buffer);
        add(buffer.dmaAddress(), size);
      }
    }
  }

  private static @Nullable DmaBuffer tryPiece(DmaMapper mapper, long size) {
    try {
      return mapper.allocateCoherent(size);
    } catch (DmaMappingException e) {
      return null;
    }
  }

  private void add(long dmaAddress, long bytes) {
    pieces.add(new Piece(dmaAddress, bytes));
    length += bytes;
  }

  private void writeList(DmaMapper mapper) {
    DmaBuffer buffer = mapper.allocateCoherent((long) pieces.size() * HostMemoryBufferLayout.SIZE);
    list = buffer;
    MemorySegment entries = buffer.segment();
    for (int i = 0; i < pieces.size(); i++) {
      long at = (long) i * HostMemoryBufferLayout.SIZE;
      HostMemoryBufferLayout.ADDRESS.set(entries, at, pieces.get(i).dmaAddress());
      HostMemoryBufferLayout.LENGTH_PAGES.set(entries, at, (int) (pieces.get(i).length() / pageSize));
    }
  }

  /** Return the bytes of all pieces. */
  long length() {
    return length;
  }

  /** Return the number of descriptors in the list. */
  int pieces() {
    return pieces.size();
  }

  long listAddress() {
    DmaBuffer buffer = list;
    if (buffer == null) {
      throw new IllegalStateException("closed");
    }
    return buffer.dmaAddress();
  }

  /** Free it; the controller does not touch it any more. */
  @Override
  public void close() {
    Closing closing = new Closing();
    DmaBuffer buffer = list;
    list = null;
    if (buffer != null) {
      closing.then(buffer::close);
    }
    for (DmaBuffer piece : buffers) {
      closing.then(piece::close);
    }
    buffers.clear();
    pieces.clear();
    length = 0;
    closing.then(this::closeWindow).end();
  }
}
