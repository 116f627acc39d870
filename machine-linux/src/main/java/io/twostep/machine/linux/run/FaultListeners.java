package io.twostep.machine.linux.run;

import io.twostep.dma.spi.FaultRecord;
import io.twostep.dma.spi.Iommu.FaultListener;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Who hears of refused accesses. Thread-safe. */
public final class FaultListeners {
  private static final Logger LOG = LoggerFactory.getLogger(FaultListeners.class);

  private final List<FaultListener> listeners = new CopyOnWriteArrayList<>();

  /** Create with nobody who hears. */
  public FaultListeners() {}

  /** Tell {@code listener} from now on. */
  public void add(FaultListener listener) {
    listeners.add(listener);
  }

  /** Tell each of them. What one throws is logged: it is neither the others' affair nor that of whoever found the fault. */
  public void tell(FaultRecord fault) {
    for (FaultListener listener : listeners) {
      try {
        listener.fault(fault);
      } catch (RuntimeException | Error e) {
        LOG.warn("{}: a listener failed", fault, e);
      }
    }
  }
}
