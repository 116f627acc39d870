package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.FeatureCommandLayout;
import io.twostep.device.nvme.wire.HostMemoryBufferLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The memory that the host lends (Base 5.27.1.10, 8.9): the controller keeps copies of the blocks it moves there, and looks at them whenever it moves the same
 * blocks again. A copy that is not what was put there means that the host, or its mapping, let something else have the memory.
 */
final class HostBuffer {
  private static final int COPY = 4096;
  private static final int NAMESPACE_SHIFT = 40;

  private final NvmeModelConfig config;
  private final HostMemory memory;
  private final Violations violations;
  private final MemorySegment scratch;
  private final MemorySegment descriptor;

  private boolean enabled;
  private long[] address = {};
  private long[] firstSlot = {};
  private long[] held = {};

  HostBuffer(Arena arena, NvmeModelConfig config, HostMemory memory, Violations violations) {
    this.config = config;
    this.memory = memory;
    this.violations = violations;
    scratch = arena.allocate(COPY, Long.BYTES);
    descriptor = arena.allocate(HostMemoryBufferLayout.SIZE, Long.BYTES);
  }

  /** Tell whether the host lends memory now. */
  boolean isEnabled() {
    return enabled;
  }

  /** Touch the memory no more, but remember it: it may be handed back with what it holds. */
  void suspend() {
    enabled = false;
  }

  /** Forget the memory, as a loss of power does. */
  void forget() {
    enabled = false;
    address = new long[0];
    firstSlot = new long[0];
    held = new long[0];
  }

  /** Carry out set features; returns a status code. */
  int set(MemorySegment sqe, long base, int pageSize) {
    int word = FeatureCommandLayout.CDW11.get(sqe, base);
    if (!HostMemoryBufferLayout.ENABLE.isSet(word)) {
      enabled = false;
      return StatusCode.SUCCESS;
    }
    if (enabled) {
      return StatusCode.COMMAND_SEQUENCE_ERROR;
    }
    long bytes = FeatureCommandLayout.CDW12.getUnsigned(sqe, base) * pageSize;
    long list = FeatureCommandLayout.CDW13.getUnsigned(sqe, base) | FeatureCommandLayout.CDW14.getUnsigned(sqe, base) << 32;
    long count = FeatureCommandLayout.CDW15.getUnsigned(sqe, base);
    long most = config.hmbMaxDescriptors() == 0 ? 65535 : config.hmbMaxDescriptors();
    if (bytes == 0 || bytes < config.hmbMinimum() || list == 0 || (list & 15) != 0 || count == 0 || count > most) {
      return StatusCode.INVALID_FIELD;
    }
    return take(list, (int) count, bytes, pageSize, HostMemoryBufferLayout.MEMORY_RETURN.isSet(word));
  }

  private int take(long list, int count, long bytes, int pageSize, boolean returned) {
    long[] addresses = new long[count];
    long[] slots = new long[count];
    long total = 0;
    for (int i = 0; i < count; i++) {
      if (memory.read(list + (long) i * HostMemoryBufferLayout.SIZE, descriptor, 0, HostMemoryBufferLayout.SIZE) != BusMaster.OK) {
        return StatusCode.DATA_TRANSFER_ERROR;
      }
      addresses[i] = HostMemoryBufferLayout.ADDRESS.get(descriptor, 0);
      slots[i] = total / COPY;
      long length = HostMemoryBufferLayout.LENGTH_PAGES.getUnsigned(descriptor, 0) * pageSize;
      if (addresses[i] == 0 || (addresses[i] & (pageSize - 1)) != 0 || length == 0 || length < config.hmbMinDescriptor()) {
        return StatusCode.INVALID_FIELD;
      }
      total += length;
    }
    if (total != bytes) {
      return StatusCode.INVALID_FIELD;
    }
    boolean same = Arrays.equals(addresses, address) && Arrays.equals(slots, firstSlot) && held.length == total / COPY;
    if (returned && !same && address.length != 0) {
      violations.add("a host memory buffer was handed back that is not the one handed over before");
    }
    if (!returned || !same) {
      held = new long[Math.toIntExact(total / COPY)];
    }
    address = addresses;
    firstSlot = slots;
    enabled = true;
    return StatusCode.SUCCESS;
  }

  /** Keep copies of blocks as they are now; while the memory is away, forget those there are. */
  void update(Namespace namespace, long lba, long blocks) {
    long last = lastUnit(namespace, lba, blocks);
    if (last - firstUnit(namespace, lba) >= held.length) {
      Arrays.fill(held, 0);
      return;
    }
    for (long unit = firstUnit(namespace, lba); unit <= last; unit++) {
      int slot = slotOf(namespace, unit);
      if (enabled) {
        held[slot] = tryCopy(namespace, unit, slot) ? name(namespace, unit) : 0;
      } else if (held[slot] == name(namespace, unit)) {
        held[slot] = 0;
      }
    }
  }

  private boolean tryCopy(Namespace namespace, long unit, int slot) {
    long length = copyLength(namespace, unit);
    BlockPath.copyFrom(namespace.data, unit * COPY, scratch, 0, length);
    boolean written = memory.write(addressOf(slot), scratch, 0, length) == BusMaster.OK;
    if (!written) {
      violations.add("the host memory buffer cannot be written at 0x" + Long.toHexString(addressOf(slot)));
    }
    return written;
  }

  /** Tell whether every copy of these blocks is what was put there; one that is not is forgotten. */
  boolean agrees(Namespace namespace, long lba, long blocks) {
    boolean agrees = true;
    long last = lastUnit(namespace, lba, blocks);
    for (long unit = firstUnit(namespace, lba); unit <= last; unit++) {
      int slot = slotOf(namespace, unit);
      if (held[slot] == name(namespace, unit) && !agrees(namespace, unit, slot)) {
        held[slot] = 0;
        agrees = false;
        violations.add("the host memory buffer at 0x" + Long.toHexString(addressOf(slot)) + " does not hold what was put there");
      }
    }
    return agrees;
  }

  private boolean agrees(Namespace namespace, long unit, int slot) {
    long length = copyLength(namespace, unit);
    if (memory.read(addressOf(slot), scratch, 0, length) != BusMaster.OK) {
      return false;
    }
    BlockStore store = namespace.data;
    for (long done = 0; done < length; ) {
      long at = unit * COPY + done;
      long run = Math.min(length - done, store.run(at));
      long offset = store.offsetInSegment(at);
      if (MemorySegment.mismatch(scratch, done, done + run, store.readable(at), offset, offset + run) >= 0) {
        return false;
      }
      done += run;
    }
    return true;
  }

  private static long firstUnit(Namespace namespace, long lba) {
    return (lba << namespace.blockShift) / COPY;
  }

  private static long lastUnit(Namespace namespace, long lba, long blocks) {
    long end = (lba + blocks) << namespace.blockShift;
    return (end - 1) / COPY;
  }

  private static long copyLength(Namespace namespace, long unit) {
    return Math.min(COPY, (namespace.blocks() << namespace.blockShift) - unit * COPY);
  }

  private static long name(Namespace namespace, long unit) {
    return (long) namespace.id << NAMESPACE_SHIFT | unit;
  }

  private int slotOf(Namespace namespace, long unit) {
    return (int) Long.remainderUnsigned(name(namespace, unit) * 0x9e3779b97f4a7c15L, held.length);
  }

  private long addressOf(int slot) {
    int found = Arrays.binarySearch(firstSlot, slot);
    int piece = found >= 0 ? found : -found - 2;
    return address[piece] + (slot - firstSlot[piece]) * COPY;
  }
}
