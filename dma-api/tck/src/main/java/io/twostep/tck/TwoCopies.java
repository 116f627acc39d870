package io.twostep.tck;

import io.twostep.dma.DmaDirection;
import io.twostep.dma.MemoryBlock;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The oracle of histories: what the CPU must see of a block and what the device must see of it, apart.
 *
 * <p>What a device wrote and nobody synced yet is unsettled: the CPU may see it already, where memory is mapped in place, not yet, where it is bounced, or what its
 * cache happened to keep. It is not compared until someone owns it.
 */
final class TwoCopies {
  private final MemoryBlock block;
  private final byte[] cpu;
  private final byte[] device;
  private final BitSet unsettled = new BitSet();

  TwoCopies(MemoryBlock block) {
    this.block = block;
    cpu = Bytes.of(block, 0, block.length());
    device = cpu.clone();
  }

  /** The range is the device's from now on, with what the CPU left there. */
  void handOver(int from, int length) {
    System.arraycopy(cpu, from, device, from, length);
  }

  /** The range is the device's from now on, and hides what the CPU left there. */
  void showZeros(int from, int length) {
    Arrays.fill(device, from, from + length, (byte) 0);
  }

  /** The device wrote. */
  void deviceWrites(int from, byte[] bytes) {
    System.arraycopy(bytes, 0, device, from, bytes.length);
    unsettled.set(from, from + bytes.length);
  }

  /** The CPU took the range over, from a device that may have written. */
  void takeOver(int from, int length, DmaDirection direction) {
    if (direction.deviceWrites()) {
      System.arraycopy(device, from, cpu, from, length);
    }
    unsettled.clear(from, from + length);
  }

  /** The CPU writes what it owns, and hands it over. */
  void cpuWrites(int from, byte[] bytes) {
    Bytes.put(block, from, bytes);
    System.arraycopy(bytes, 0, cpu, from, bytes.length);
    System.arraycopy(bytes, 0, device, from, bytes.length);
  }

  /** Checks what the CPU sees. */
  void requireCpu(int from, int length, String when) {
    byte[] seen = Bytes.of(block, from, length);
    for (int i = 0; i < length; i++) {
      int equal = Arrays.mismatch(seen, i, length, cpu, from + i, from + length);
      if (equal < 0) {
        return;
      }
      i += equal;
      int at = from + i;
      if (!unsettled.get(at)) {
        throw new AssertionError("%s: the CPU sees 0x%02x at block offset 0x%x, not 0x%02x".formatted(when, seen[i], at, cpu[at]));
      }
    }
  }

  /** Checks what the device read. */
  void requireDevice(int from, byte[] seen, long dmaAddress) {
    for (int i = 0; i < seen.length; i++) {
      if (seen[i] != device[from + i]) {
        throw new AssertionError(
            "the device sees 0x%02x at 0x%x (block offset 0x%x), not 0x%02x".formatted(seen[i], dmaAddress + i, from + i, device[from + i]));
      }
    }
  }
}
