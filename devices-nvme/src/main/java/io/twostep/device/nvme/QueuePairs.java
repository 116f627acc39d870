package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Interrupts;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** The I/O queue pairs of one controller with what they share: interrupt vectors and shadow doorbells. Under the controller's lifecycle lock. */
final class QueuePairs implements AutoCloseable {
  private final ControllerCore core;
  private final List<NvmeQueue> queues = new ArrayList<>();
  private final List<Integer> vectors = new ArrayList<>();
  private @Nullable DmaBuffer shadow;
  private @Nullable DmaBuffer shadowEvents;

  QueuePairs(ControllerCore core) {
    this.core = core;
  }

  /** Return the queues, a view: none before {@link #allocate}. */
  List<NvmeQueue> queues() {
    return Collections.unmodifiableList(queues);
  }

  /** Return how many queues are wanted and have a doorbell in the BAR. */
  int most() {
    int wanted = core.config().ioQueues();
    long room = core.registers().mmio().length() - DoorbellLayout.BASE;
    while (wanted > 0 && DoorbellLayout.length(wanted, core.doorbellStride()) > room) {
      wanted--;
    }
    return wanted;
  }

  /** Allocate {@code count} queue pairs, which the controller does not know yet. */
  void allocate(int count, TransferRules rules) {
    QueuePlacement placement = QueuePlacement.of(core, count);
    int vectorCount = vectorCount();
    Map<Integer, InterruptSleep> sleeps = new HashMap<>();
    for (int id = 1; id <= count; id++) {
      int vector = vectorCount == 0 ? -1 : Math.min(id, vectorCount - 1);
      InterruptSleep sleep = vector < 0 ? null : sleeps.computeIfAbsent(vector, v -> new InterruptSleep(core.slot().interrupts(), v));
      queues.add(new NvmeQueue(core, id, placement.depth(), rules, placement.submissionMemory(id), sleep));
      vectors.add(vector);
    }
    if (core.config().shadowDoorbells() && core.facts().hasShadowDoorbells() && count != 0) {
      long length = Math.max(core.pageSize(), ShadowDoorbellLayout.length(count, core.doorbellStride()));
      shadow = core.mapper().allocateCoherent(length);
      shadowEvents = core.mapper().allocateCoherent(length);
    }
  }

  private int vectorCount() {
    if (core.config().completion() == NvmeConfig.Completion.POLLED) {
      return 0;
    }
    int count = core.slot().interrupts().count();
    if (count == 0) {
      throw new IllegalArgumentException(core.name() + ": the device has no interrupts; set completion to polled");
    }
    return count;
  }

  /** Create the queues on the controller, their vectors first: a controller whose MSI-X is off refuses a queue with a vector that only MSI-X has. */
  void connect(BringUp bringUp) {
    queues.forEach(queue -> queue.engine().restart());
    enableInterrupts();
    for (int i = 0; i < queues.size(); i++) {
      bringUp.create(queues.get(i), vectors.get(i));
    }
    DmaBuffer indices = shadow;
    DmaBuffer events = shadowEvents;
    if (indices != null && events != null && bringUp.tryUseShadow(indices, events)) {
      queues.forEach(queue -> queue.engine().useShadow(indices.segment(), events.segment()));
    }
  }

  private void enableInterrupts() {
    Interrupts interrupts = core.slot().interrupts();
    for (int vector : vectors.stream().distinct().filter(v -> v >= 0).toList()) {
      List<NvmeQueue> served = new ArrayList<>();
      for (int i = 0; i < queues.size(); i++) {
        if (vectors.get(i) == vector) {
          served.add(queues.get(i));
        }
      }
      NvmeQueue[] onVector = served.toArray(new NvmeQueue[0]);
      interrupts.enable(
          vector,
          () -> {
            for (NvmeQueue queue : onVector) {
              queue.interrupted();
            }
          });
    }
  }

  void disableInterrupts() {
    for (int vector : vectors.stream().distinct().filter(v -> v >= 0).toList()) {
      core.slot().interrupts().disable(vector);
    }
  }

  /** Begin sending commands, and taking requests if {@code accepting}. */
  void run(boolean accepting) {
    for (NvmeQueue queue : queues) {
      queue.engine().run(true);
      queue.engine().accept(accepting);
    }
  }

  /** Stop sending commands and hearing of completions. */
  void stop() {
    queues.forEach(queue -> queue.engine().run(false));
    disableInterrupts();
  }

  /** Cancel what the stopped controller did not complete. */
  void cancelAll(boolean forGood) {
    queues.forEach(queue -> queue.engine().cancelAll(forGood));
  }

  /** Enter every queue: nobody submits or polls until {@link #leaveAll}. */
  void enterAll() {
    queues.forEach(queue -> queue.guard().enter(core.timers()));
  }

  /** Leave every queue, and deliver what ended meanwhile. */
  void leaveAll() {
    queues.forEach(queue -> queue.guard().exit());
    queues.forEach(NvmeQueue::deliverDone);
  }

  /** Begin or stop taking new requests. */
  void acceptAll(boolean yes) {
    queues.forEach(queue -> queue.accept(yes));
  }

  /** Poll until every queue is idle, or {@code givenUp} says that there is nothing to wait for. */
  void drain(BooleanSupplier givenUp) {
    for (NvmeQueue queue : queues) {
      int fruitless = 0;
      Deadline patience = null;
      while (!queue.isIdle() && !givenUp.getAsBoolean()) {
        if (queue.poll() == 0) {
          patience = queue.pause(++fruitless, patience);
        }
      }
      if (patience != null) {
        patience.close();
      }
    }
  }

  /** Return what all queues have done; the numbers of queues in use are those of a moment each. */
  NvmeStatistics statistics() {
    NvmeStatistics sum = new NvmeStatistics(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    for (NvmeQueue queue : queues) {
      sum = sum.plus(queue.statistics());
    }
    return sum;
  }

  /** Free everything; the controller is stopped. */
  @Override
  public void close() {
    Closing closing = new Closing();
    for (NvmeQueue queue : queues) {
      closing.then(queue::free);
    }
    DmaBuffer indices = shadow;
    DmaBuffer events = shadowEvents;
    if (indices != null) {
      closing.then(indices::close);
    }
    if (events != null) {
      closing.then(events::close);
    }
    closing.end();
  }
}
