package io.twostep.dma;

import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Importer;
import io.twostep.dma.spi.PeerRange;
import io.twostep.dma.spi.Revocable;
import java.util.ArrayList;
import java.util.List;

/**
 * The peer memory that a {@link SparseWindow} has linked since it was opened; its driver is told of revocations and unlinks.
 *
 * <p>Several threads link and unlink at once, so nobody but the driver can take units out; the pins of the units tell when it has.
 */
final class WindowImports implements Importer {
  private final SparseWindow window;
  private final List<PeerRange> ranges = new ArrayList<>();

  WindowImports(SparseWindow window) {
    this.window = window;
  }

  /** Note a range; false if it was taken back. */
  synchronized boolean add(PeerRange range) {
    if (ranges.contains(range)) {
      return !range.isRevoked();
    }
    if (!range.add(this)) {
      return false;
    }
    ranges.add(range);
    return true;
  }

  /** Forget everything: the window is gone. */
  synchronized void clear() {
    ranges.forEach(range -> range.remove(this));
    ranges.clear();
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
