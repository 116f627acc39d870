package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The bus ranges that a command's pointers describe, and how far the transfer has got. Reused; grows and never shrinks. */
final class RunList {
  /** The address of a run whose data is thrown away. */
  private static final long DISCARD = -1L;

  private final HostMemory memory;
  private long[] address = new long[64];
  private long[] length = new long[64];
  private int count;
  private long total;
  private int current;
  private long done;

  RunList(HostMemory memory) {
    this.memory = memory;
  }

  void clear() {
    count = 0;
    total = 0;
    current = 0;
    done = 0;
  }

  /** Return the bytes that all runs have together. */
  long total() {
    return total;
  }

  /** Append a range; it joins the last one if they touch. */
  void add(long dmaAddress, long bytes) {
    total += bytes;
    if (count > 0 && address[count - 1] != DISCARD && address[count - 1] + length[count - 1] == dmaAddress) {
      length[count - 1] += bytes;
      return;
    }
    append(dmaAddress, bytes);
  }

  /** Append bytes of a read that go nowhere. */
  void addDiscard(long bytes) {
    total += bytes;
    append(DISCARD, bytes);
  }

  /** Move the next {@code bytes} to the host; returns a status code. */
  int toHost(MemorySegment source, long offset, long bytes) {
    long at = offset;
    long left = bytes;
    while (left > 0) {
      long part = Math.min(left, length[current] - done);
      if (address[current] != DISCARD && memory.write(address[current] + done, source, at, part) != BusMaster.OK) {
        return StatusCode.DATA_TRANSFER_ERROR;
      }
      at += part;
      left -= part;
      advance(part);
    }
    return StatusCode.SUCCESS;
  }

  /** Move the next {@code bytes} from the host; returns a status code. */
  int fromHost(MemorySegment target, long offset, long bytes) {
    long at = offset;
    long left = bytes;
    while (left > 0) {
      long part = Math.min(left, length[current] - done);
      if (memory.read(address[current] + done, target, at, part) != BusMaster.OK) {
        return StatusCode.DATA_TRANSFER_ERROR;
      }
      at += part;
      left -= part;
      advance(part);
    }
    return StatusCode.SUCCESS;
  }

  private void advance(long bytes) {
    done += bytes;
    if (done == length[current]) {
      current++;
      done = 0;
    }
  }

  private void append(long dmaAddress, long bytes) {
    if (count == address.length) {
      address = Arrays.copyOf(address, 2 * count);
      length = Arrays.copyOf(length, 2 * count);
    }
    address[count] = dmaAddress;
    length[count] = bytes;
    count++;
  }
}
