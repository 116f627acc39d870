package io.twostep.machine.model.iommu;

import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.Iommu.FaultListener;
import io.twostep.machine.model.run.MachineLock;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Record refused accesses: a counter, the latest records, and listeners, who hear of each once the machine's lock is free. */
public final class Faults {
  private static final int KEPT = 256;

  private final MachineLock lock;
  private final CopyOnWriteArrayList<FaultListener> listeners = new CopyOnWriteArrayList<>();
  private final ArrayDeque<FaultRecord> latest = new ArrayDeque<>();
  private long count;

  Faults(MachineLock lock) {
    this.lock = lock;
  }

  void listen(FaultListener listener) {
    listeners.add(listener);
  }

  /** Record a fault; the caller holds the machine's lock. */
  void record(FaultRecord fault) {
    count++;
    if (latest.size() == KEPT) {
      latest.removeFirst();
    }
    latest.addLast(fault);
    for (FaultListener listener : listeners) {
      lock.afterwards(() -> listener.fault(fault));
    }
  }

  /** Return how many accesses were refused. */
  public long count() {
    return count;
  }

  /** Return the latest records, oldest first; the caller holds the machine's lock. */
  public List<FaultRecord> latest() {
    return List.copyOf(latest);
  }
}
