package io.twostep.device.nvme;

import io.twostep.device.nvme.host.Registers;
import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.ThreadPlaces;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running NVMe controller: its namespaces for those who read and write blocks, its queues for those who count nanoseconds.
 *
 * <p>Thread-safe. Has no thread of its own: who waits or polls also watches deadlines, receives events and, where a command hangs, resets the controller. A reset cancels
 * what is in flight; requests with retries left go out again afterwards, and nobody notices but by the time it took.
 */
public final class NvmeController implements Driver {
  private static final Logger LOG = LoggerFactory.getLogger(NvmeController.class);

  /** PRP offsets must survive mapping. */
  private static final long OFFSET_MASK = 4095;

  private final ControllerCore core;
  private final PhysicalMemory memory;
  private final BringUp bringUp;
  private final DmaBuffer adminData;
  private final ReentrantLock lifecycle = new ReentrantLock();
  private final QueuePairs pairs;
  private final List<NvmeQueue> queues;
  private final ThreadPlaces places;
  private final NamespaceScan scan;
  private final EventDesk events;
  private final HostMemory hostMemory;

  private volatile NvmeState state = NvmeState.NEW;
  private volatile List<NvmeNamespace> namespaces = List.of();
  private boolean quiesced;
  private boolean closed;
  private long resets;

  /**
   * Bring a controller up, with the settings of the context.
   *
   * @throws NvmeException if the controller does not start; it is stopped then and nothing stays mapped
   */
  public static NvmeController open(DriverContext context) {
    return open(context, NvmeConfig.of(context.settings()));
  }

  /** Bring a controller up; as {@link #open(DriverContext)}, with settings in code. */
  public static NvmeController open(DriverContext context, NvmeConfig config) {
    Registers registers = new Registers(context.slot().mmio(0));
    if (registers.isGone()) {
      throw NvmeException.ofController(
          "nvme " + context.slot().address(), NvmeErrorKind.GONE, "the controller does not answer: its registers read all ones");
    }
    DmaMapper mapper = context.attach(DeviceLimits.UNLIMITED.withMinAlignMask(OFFSET_MASK));
    NvmeController controller;
    try {
      context.slot().busMaster(true);
      controller = new NvmeController(context, mapper, registers, config);
    } catch (RuntimeException e) {
      // Nothing has stopped it yet, and whoever had it before may have left it running.
      throw Closing.after(e, () -> context.slot().busMaster(false), mapper::close);
    }
    try {
      controller.bringUp();
      return controller;
    } catch (RuntimeException e) {
      controller.closeAfter(e);
      throw e;
    }
  }

  private NvmeController(DriverContext context, DmaMapper mapper, Registers registers, NvmeConfig config) {
    memory = context.memory();
    core = new ControllerCore(context, mapper, registers, config);
    bringUp = new BringUp(core);
    try {
      adminData = mapper.allocateCoherent(Math.max(IdentifyCommandLayout.DATA_SIZE, core.pageSize()));
    } catch (RuntimeException e) {
      core.admin().close();
      throw e;
    }
    pairs = new QueuePairs(core);
    queues = pairs.queues();
    places = new ThreadPlaces(Math.max(1, queues.size()));
    scan = new NamespaceScan(this, core, adminData);
    events = new EventDesk(core, adminData);
    hostMemory = new HostMemory(core, memory);
  }

  private void closeAfter(RuntimeException failure) {
    try {
      close();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  // Bring-up, in the order the specification wants it.

  private void bringUp() {
    lifecycle.lock();
    try {
      become(NvmeState.CONNECTING);
      if (!bringUp.tryStop()) {
        throw NvmeException.ofController(core.name(), NvmeErrorKind.PROTOCOL, "the controller could not be stopped before its start");
      }
      core.memoryBuffer(ControllerMemoryBuffer.find(core));
      bringUp.start();
      bringUp.identify(adminData);
      hostMemory.lend(bringUp);
      pairs.allocate(bringUp.negotiateQueues(pairs.most()), TransferRules.of(core));
      pairs.connect(bringUp);
      namespaces = scan.scan();
      goLive();
      core.serviceBy(this::service);
    } finally {
      lifecycle.unlock();
    }
  }

  private void goLive() {
    become(NvmeState.LIVE);
    core.resetDone();
    bringUp.listen(core.facts());
    pairs.run(!quiesced);
  }

  /** Return the namespaces, in order of their ids, as they were when last looked at. */
  public List<NvmeNamespace> namespaces() {
    return namespaces;
  }

  /**
   * Return one namespace.
   *
   * @throws IllegalArgumentException if there is none with this id
   */
  public NvmeNamespace namespace(int id) {
    for (NvmeNamespace namespace : namespaces) {
      if (namespace.id() == id) {
        return namespace;
      }
    }
    throw new IllegalArgumentException(
        core.name() + ": no namespace " + id + "; found: " + namespaces.stream().map(NvmeNamespace::id).toList());
  }

  /** Look for namespaces again, for example after an event said that they changed, and return them. */
  public List<NvmeNamespace> rescan() {
    lifecycle.lock();
    try {
      requireLive();
      namespaces = scan.scan();
      return namespaces;
    } finally {
      lifecycle.unlock();
    }
  }

  // What users ask.

  /** Return the I/O queues; none if the controller granted none. */
  public List<NvmeQueue> queues() {
    return List.copyOf(queues);
  }

  /** Return the queue that shared calls of this thread use. */
  NvmeQueue queueOfThread() {
    if (queues.isEmpty()) {
      throw NvmeException.ofController(core.name(), NvmeErrorKind.NOT_SUPPORTED, "there is no I/O queue: none was asked for or granted");
    }
    return queues.get(places.ofThread());
  }

  /** Poll every queue once and take care of events and resets; returns how many completions were found. */
  public int poll() {
    int found = 0;
    for (NvmeQueue queue : queues) {
      found += queue.poll();
    }
    service();
    return found;
  }

  /** Poll until {@code over} says so or {@code nanos} have passed. */
  void pollUntil(BooleanSupplier over, long nanos) {
    long from = core.timers().nanoTime();
    int fruitless = 0;
    Deadline patience = null;
    while (!over.getAsBoolean() && core.timers().nanoTime() - from < nanos) {
      if (poll() == 0 && !over.getAsBoolean() && !queues.isEmpty()) {
        patience = queues.getFirst().pause(++fruitless, patience);
      }
    }
    if (patience != null) {
      patience.close();
    }
  }

  /**
   * Call {@code listener} for every event the controller reports from now on, on a thread that polls or waits.
   *
   * <p>Its log page was read by then. Events of one kind that come faster than that are one event.
   */
  public void onEvent(Consumer<NvmeEvent> listener) {
    events.listener(listener);
  }

  /** Return where the controller stands. */
  public NvmeState state() {
    return state;
  }

  /** Return the device's name for messages. */
  public String name() {
    return core.name();
  }

  /** Return the controller's model. */
  public String model() {
    return core.facts().model();
  }

  /** Return the controller's serial number. */
  public String serial() {
    return core.facts().serial();
  }

  /** Return the controller's firmware revision. */
  public String firmware() {
    return core.facts().firmware();
  }

  /** Return the controller page in use, bytes. */
  public int pageSize() {
    return core.pageSize();
  }

  /** Return the most data bytes of one command; longer requests are split. */
  public long maxTransfer() {
    return TransferRules.of(core).maxBytes();
  }

  /** Tell whether the controller can do an operation. */
  public boolean supports(NvmeOperation operation) {
    return core.facts().supports(operation);
  }

  /** Tell whether flush matters: whether the controller has a volatile write cache. */
  public boolean hasWriteCache() {
    return core.facts().writeCache();
  }

  /** Return the bytes of host memory that the controller has borrowed for itself. */
  public long hostMemoryLength() {
    return hostMemory.length();
  }

  /** Return the memory that requests move: of the machine that the controller is in. */
  public PhysicalMemory memory() {
    return memory;
  }

  /** Return the controller's own memory; null if it has none that can be used. */
  public @Nullable ControllerMemoryBuffer memoryBuffer() {
    return core.memoryBuffer();
  }

  /** Return the controller's way to memory, for example for mappings that it shares with others. */
  public DmaMapper mapper() {
    return core.mapper();
  }

  /** Return what the driver has done; the numbers of queues in use are those of a moment each. */
  public NvmeStatistics statistics() {
    NvmeStatistics ofController =
        new NvmeStatistics(
            0, 0, 0, 0, 0, 0, 0, 0, core.admin().abortsSent(), resets, core.admin().dropped(), 0, core.admin().doorbellWrites());
    return pairs.statistics().plus(ofController);
  }

  // Life.

  private void become(NvmeState next) {
    if (!state.mayBecome(next)) {
      throw new IllegalStateException(core.name() + ": cannot go from " + state + " to " + next);
    }
    state = next;
  }

  private void requireLive() {
    if (state != NvmeState.LIVE) {
      throw NvmeException.ofController(core.name(), NvmeErrorKind.GONE, "the controller is " + state);
    }
  }

  /** Take events and do a reset that is wanted, unless another thread is at it. */
  private void service() {
    String reason = core.resetReason();
    if ((!core.admin().hasEvents() && reason == null) || !lifecycle.tryLock()) {
      return;
    }
    List<NvmeEvent> told = List.of();
    try {
      if (state == NvmeState.LIVE) {
        told = events.take();
      }
      reason = core.resetReason();
      if (ControllerCore.BROKEN.equals(reason) && !core.isBroken()) {
        core.resetDone();
      } else if (reason != null && state == NvmeState.LIVE) {
        LOG.warn("{}: resetting the controller: {}", core.name(), reason);
        resetLocked();
      }
    } finally {
      lifecycle.unlock();
    }
    told.forEach(events::tell);
  }

  /**
   * Reset the controller: cancel what is in flight, start it anew, and send again what has retries left.
   *
   * @throws NvmeException if it does not come back; it is dead then
   */
  public void reset() {
    lifecycle.lock();
    try {
      requireLive();
      resetLocked();
      if (state != NvmeState.LIVE) {
        throw NvmeException.ofController(core.name(), NvmeErrorKind.PROTOCOL, "the controller did not come back from its reset");
      }
    } finally {
      lifecycle.unlock();
    }
  }

  private void resetLocked() {
    become(NvmeState.RESETTING);
    resets++;
    pairs.enterAll();
    try {
      pairs.stop();
      if (!bringUp.tryStop()) {
        die("it is gone or cannot be stopped", null);
        return;
      }
      core.admin().cancelAll();
      pairs.cancelAll(false);
      try {
        restart();
      } catch (RuntimeException e) {
        bringUp.tryStop();
        die("it did not start again", e);
      }
    } finally {
      pairs.leaveAll();
    }
  }

  private void restart() {
    become(NvmeState.CONNECTING);
    ControllerMemoryBuffer buffer = core.memoryBuffer();
    if (buffer != null) {
      buffer.claimAgain();
    }
    bringUp.start();
    bringUp.identify(adminData);
    hostMemory.lendAgain(bringUp);
    int granted = bringUp.negotiateQueues(queues.size());
    if (granted < queues.size()) {
      throw NvmeException.ofController(
          core.name(), NvmeErrorKind.PROTOCOL, "it granted " + queues.size() + " queues before the reset and " + granted + " after");
    }
    pairs.connect(bringUp);
    goLive();
  }

  /** Give the controller up: it is stopped, cut off the bus or gone, and if that cannot be shown close keeps its memory. The caller is inside every guard. */
  private void die(String why, @Nullable RuntimeException cause) {
    LOG.error("{}: giving the controller up: {}", core.name(), why, cause);
    core.resetDone();
    core.cutOff();
    core.mapper().detach();
    core.admin().cancelAll();
    pairs.cancelAll(true);
    become(NvmeState.DELETING);
    become(NvmeState.DEAD);
  }

  /** Take no more requests and wait until those under way are over; what hangs is ended by a reset. */
  @Override
  public void quiesce() {
    lifecycle.lock();
    try {
      quiesced = true;
      pairs.acceptAll(false);
    } finally {
      lifecycle.unlock();
    }
    pairs.drain(() -> state.isFinal());
  }

  @Override
  public void resume() {
    lifecycle.lock();
    try {
      quiesced = false;
      if (state == NvmeState.LIVE) {
        pairs.acceptAll(true);
      }
    } finally {
      lifecycle.unlock();
    }
  }

  /**
   * Shut the controller down, cancel what is in flight, and give all memory back; may be repeated.
   *
   * <p>The controller is stopped before anything is unmapped, and cut off the bus if it does not stop.
   *
   * @throws io.twostep.dma.DmaMappingException QUARANTINED if it cannot be shown to be: its memory is not given back then
   */
  @Override
  public void close() {
    lifecycle.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      core.serviceBy(() -> {});
      pairs.enterAll();
      try {
        stopForGood();
      } finally {
        pairs.leaveAll();
      }
      become(NvmeState.DELETING_NO_IO);
      core.requireCutOff();
      free();
    } finally {
      lifecycle.unlock();
    }
  }

  private void stopForGood() {
    pairs.stop();
    if (state == NvmeState.DEAD) {
      return;
    }
    boolean wasLive = state == NvmeState.LIVE;
    become(NvmeState.DELETING);
    try {
      if (wasLive && !core.isBroken()) {
        bringUp.shutDown(queues, hostMemory.isLent(), core.facts());
      }
    } catch (NvmeException e) {
      LOG.warn("{}: the controller did not shut down in peace and is stopped all the same", core.name(), e);
    } finally {
      bringUp.tryStop();
      core.cutOff();
      core.admin().cancelAll();
      pairs.cancelAll(true);
    }
  }

  private void free() {
    new Closing().then(pairs::close).then(hostMemory::close).then(adminData::close).then(core.admin()::close).then(core.mapper()::close).end();
  }
}
