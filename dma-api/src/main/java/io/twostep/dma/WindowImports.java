package io.twostep.dma;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Revocable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The memory that units of a {@link SparseWindow} hold and that may be taken back; its driver is told of that and unlinks.
 *
 * <p>Several threads link and unlink at once, so nobody but the driver can take units out. A unit counts until the device is proved away from it, batches included.
 */
final class WindowImports implements RevocableHolder {
  private final SparseWindow window;
  private @Nullable Revocable[] memories = new Revocable[2];
  private long[] pinsOf = new long[2];
  private int count;

  WindowImports(SparseWindow window) {
    this.window = window;
  }

  @Override
  public synchronized boolean add(Revocable memory, long pins) {
    int at = indexOf(memory);
    if (at < count ? memory.isRevoked() : !memory.add(this)) {
      return false;
    }
    if (at == count) {
      if (count == memories.length) {
        memories = Arrays.copyOf(memories, count * 2);
        pinsOf = Arrays.copyOf(pinsOf, count * 2);
      }
      memories[at] = memory;
      pinsOf[at] = 0;
      count++;
    }
    pinsOf[at] += pins;
    return true;
  }

  @Override
  public synchronized void remove(Revocable memory, long pins) {
    int at = indexOf(memory);
    if (at == count) {
      throw new IllegalStateException("the window does not hold " + memory);
    }
    pinsOf[at] -= pins;
    if (pinsOf[at] == 0) {
      memories[at] = memories[--count];
      pinsOf[at] = pinsOf[count];
      memories[count] = null;
      memory.remove(this);
    }
  }

  private int indexOf(Revocable memory) {
    int at = 0;
    while (at < count && memories[at] != memory) {
      at++;
    }
    return at;
  }

  @Override
  public DmaMapper mapper() {
    return window.mapper();
  }

  @Override
  public DeviceSlot device() {
    return window.mapper().slot();
  }

  @Override
  public void revoked(Revocable memory) {
    window.tellRevoked();
  }

  @Override
  public void stop() {
    window.mapper().stopDevice();
  }
}
