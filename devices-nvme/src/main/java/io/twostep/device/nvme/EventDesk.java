package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.AdminOpcode;
import io.twostep.device.nvme.wire.ErrorLogLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import io.twostep.device.nvme.wire.SmartLogLayout;
import io.twostep.device.nvme.wire.SqeLayout;
import io.twostep.dma.DmaBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Receives what the controller reports on its own account, and passes it on. Events are taken by one thread at a time. */
final class EventDesk {
  private static final Logger LOG = LoggerFactory.getLogger(EventDesk.class);
  private static final int CHANGED_NAMESPACES_SIZE = 4096;

  private final ControllerCore core;
  private final DmaBuffer buffer;
  private volatile Consumer<NvmeEvent> listener = event -> {};

  /** Create a desk that receives log pages in {@code buffer}. */
  EventDesk(ControllerCore core, DmaBuffer buffer) {
    this.core = core;
    this.buffer = buffer;
  }

  void listener(Consumer<NvmeEvent> to) {
    listener = to;
  }

  /** Take what events arrived: read their log pages, which lets the controller report the next of their kind, and ask for more. */
  List<NvmeEvent> take() {
    List<NvmeEvent> taken = new ArrayList<>();
    for (NvmeEvent event = core.admin().takeEvent(); event != null; event = core.admin().takeEvent()) {
      taken.add(event);
      try {
        core.admin().tryExecute(readLog(event));
      } catch (NvmeException e) {
        core.wantReset("it did not answer when asked for the log page of an event: " + e.getMessage());
      }
    }
    core.admin().requestEvents();
    return taken;
  }

  private AdminCommand readLog(NvmeEvent event) {
    int bytes =
        switch (event.logPage()) {
          case LogPageCommandLayout.LID_ERROR -> ErrorLogLayout.SIZE;
          case LogPageCommandLayout.LID_CHANGED_NAMESPACES -> CHANGED_NAMESPACES_SIZE;
          default -> SmartLogLayout.SIZE;
        };
    return new AdminCommand("get log page", AdminOpcode.GET_LOG_PAGE)
        .namespace(LogPageCommandLayout.LID_CHANGED_NAMESPACES == event.logPage() ? 0 : SqeLayout.NSID_ALL)
        .data(buffer.dmaAddress(), 0)
        .word(10, event.logPage() | (bytes / Integer.BYTES - 1) << 16);
  }

  /** Tell the listener, outside every lock. */
  void tell(NvmeEvent event) {
    try {
      listener.accept(event);
    } catch (Throwable e) {
      // Errors too: whoever polls waits for a request of his own.
      LOG.error("{}: the listener for events threw at {}", core.name(), event, e);
    }
  }
}
