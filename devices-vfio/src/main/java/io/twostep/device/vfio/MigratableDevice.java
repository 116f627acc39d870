package io.twostep.device.vfio;

import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.buffer.BufferPool;
import io.twostep.device.vfio.dirty.DirtySource;
import io.twostep.device.vfio.dirty.IommuWrites;
import io.twostep.device.vfio.dirty.TrackedRanges.Range;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.state.MigrationFeatures;
import io.twostep.device.vfio.state.StateTable;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaAttributes;
import io.twostep.dma.DmaDirection;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.SparseWindow;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Driver;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Mmio;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The host's side of a device that a guest uses and that can migrate: maps the guest's memory, drives the migration states, reads and writes the device's state.
 *
 * <p>Used by one thread at a time. The guest reaches its queues by {@link #guestRegisters} directly.
 */
public final class MigratableDevice implements Driver {
  private static final int RING_ENTRIES = 4096;

  private final DeviceSlot slot;
  private final DmaMapper mapper;
  private final DeviceCommands commands;
  private final MigrationFeatures features;
  private final boolean tracks;
  private final long mostBytes;
  private final BufferPool pool;
  private DeviceState state = DeviceState.RUNNING;

  /** Whether the device starts DMA, and whether it answers its peers: what {@link #state} says, unless a hop failed halfway. */
  private boolean asking = true;

  private boolean answering = true;
  private @Nullable SparseWindow window;
  private long peerAddress;
  private long peerLength;
  private @Nullable SaveStream saving;
  private @Nullable LoadStream loading;
  private @Nullable DirtySource tracking;
  private boolean closed;

  /** Close has shown that the device masters the bus no more. */
  private boolean stopped;

  private MigratableDevice(DriverContext context, DmaMapper mapper) {
    slot = context.slot();
    this.mapper = mapper;
    commands = new DeviceCommands(slot, context.timers());
    long capabilities = commands.read(Registers.CAPABILITIES);
    features = MigrationFeatures.of((int) capabilities & 7);
    tracks = (capabilities & Registers.TRACKS) != 0;
    mostBytes = capabilities >>> Registers.IMAGE_SHIFT;
    if (mostBytes <= 0 || mostBytes > Integer.MAX_VALUE) {
      throw new MigrationException(Kind.REFUSED, slot.address() + ": says that its state takes up to " + mostBytes + " bytes; there must be some, and less than 2 GiB");
    }
    pool = new BufferPool(mapper, context.memory());
  }

  /**
   * Bring a device up; it is RUNNING, and has no guest.
   *
   * @throws MigrationException REFUSED if it is not a migratable device
   */
  public static MigratableDevice open(DriverContext context) {
    DmaMapper mapper = context.attach(DeviceLimits.UNLIMITED);
    try {
      context.slot().busMaster(true);
      return new MigratableDevice(context, mapper);
    } catch (RuntimeException e) {
      throw Closing.after(e, () -> context.slot().busMaster(false), mapper::close);
    }
  }

  /** Return where the device is, for people. */
  public String name() {
    return slot.address().text();
  }

  /** Return which migration states the device has. */
  public MigrationFeatures features() {
    return features;
  }

  /** Return the state it is in. */
  public DeviceState state() {
    return state;
  }

  /** Return most bytes that its state takes. */
  public long mostBytes() {
    return mostBytes;
  }

  /** Return the buffers that its state goes through. */
  public BufferPool buffers() {
    return pool;
  }

  /** Return what maps for the device. */
  public DmaMapper mapper() {
    return mapper;
  }

  /** Return the registers that the guest uses. */
  public Mmio guestRegisters() {
    return slot.mmio(0);
  }

  /**
   * Give the device a guest: all of its memory, page by page, at one range of I/O addresses.
   *
   * @throws MigrationException REFUSED where nothing translates, or the device does not see CPU caches
   * @throws io.twostep.dma.DmaMappingException if the memory cannot be mapped; the device has no guest then
   * @throws IllegalStateException if it has one
   */
  public void assign(GuestMemory guest) {
    if (window != null) {
      throw new IllegalStateException(name() + ": has a guest already");
    }
    if (!mapper.limits().translates() || !mapper.limits().coherent()) {
      throw new MigrationException(Kind.REFUSED, name() + ": a guest's device needs an IOMMU, and has to see CPU caches");
    }
    SparseWindow map = mapper.newWindow(guest.length(), Math.max(GuestMemory.PAGE, mapper.limits().granule()), DmaDirection.BIDIRECTIONAL, DmaAttributes.NONE);
    try {
      map.link(0, guest.block().ranges(), DmaDirection.BIDIRECTIONAL, null);
      commands.write(Registers.GUEST_BASE, map.address());
      commands.write(Registers.GUEST_LENGTH, guest.length());
      window = map;
    } catch (RuntimeException e) {
      map.close();
      throw e;
    }
  }

  /**
   * Let the guest have the device write to a peer; until then, and beyond that, it reaches its own memory and nothing else that is mapped for the device. Resets leave it as it is.
   *
   * @param dmaAddress the first byte, as the device reaches it: what the guest names as 0
   * @param length bytes; 0 for none
   */
  public void allowPeer(long dmaAddress, long length) {
    peerAddress = dmaAddress;
    peerLength = length;
    tellPeer();
  }

  private void tellPeer() {
    commands.write(Registers.PEER_BASE, peerAddress);
    commands.write(Registers.PEER_LENGTH, peerLength);
  }

  /** Return the window that the guest's memory is linked in; its first byte is guest address 0. */
  public SparseWindow window() {
    SparseWindow map = window;
    if (map == null) {
      throw new IllegalStateException(name() + ": has no guest; call assign() first");
    }
    return map;
  }

  /**
   * Return what tells which pages of the guest the device writes; idle. The one returned before is stopped.
   *
   * @param together sources of other devices of the guest, started before this one, with which it may share an address space
   * @throws MigrationException REFUSED if that is not to be had: the IOMMU cannot tell, or would not see all writes, and the device does not note them
   */
  public DirtySource newDirtySource(WriteTracking by, List<DirtySource> together) {
    boolean iommu = mapper.limits().dirtyTracking();
    if (by != WriteTracking.DEVICE && iommu) {
      List<IommuWrites> others = together.stream().filter(IommuWrites.class::isInstance).map(IommuWrites.class::cast).toList();
      return track(new IommuWrites(mapper.dirtyTracking(), window(), others));
    }
    if (by != WriteTracking.IOMMU && tracks) {
      return newDirtySource(List.of(new Range(0, window().length())), GuestMemory.PAGE);
    }
    throw new MigrationException(
        Kind.REFUSED,
        name()
            + ": nobody can tell what the device writes: "
            + (iommu ? "" : "the IOMMU sets no dirty bits, or does not see writes by bus address; ")
            + (tracks ? "" : "the device notes nothing; ")
            + "it can migrate only while stopped");
  }

  /** Return what tells which pages the device writes, for a device that shares its address space with no other that is asked. */
  public DirtySource newDirtySource(WriteTracking by) {
    return newDirtySource(by, List.of());
  }

  /** Return what tells the device's own notes of some ranges of guest addresses, in pages of a size of the caller's choosing; idle. The one returned before is stopped. */
  public DirtySource newDirtySource(List<Range> ranges, long pageSize) {
    return track(new DeviceTracking(mapper, commands, ranges, pageSize, RING_ENTRIES));
  }

  private DirtySource track(DirtySource source) {
    stopTracking();
    tracking = source;
    return source;
  }

  /** Stop noting what the device writes, whoever began it. */
  public void stopTracking() {
    if (tracking != null) {
      tracking.stop();
      tracking = null;
    }
  }

  /**
   * Take the device to another state, hop by hop.
   *
   * <p>If a hop fails the device stays in the state that it reached, with part of the hop done perhaps: setState, to that state or to another, first makes up for it. If that cannot be told it is in ERROR, and only
   * {@link #reset} helps.
   *
   * @throws IllegalArgumentException if no way leads there; nothing changed
   * @throws MigrationException DEVICE or GONE if the device failed; DATA for leaving RESUMING before all of its state arrived, with the device in ERROR
   * @throws io.twostep.device.vfio.stream.StreamException as DATA
   */
  public void setState(DeviceState target) {
    StateTable.nextHop(features, state, target);
    run(state);
    while (state != target) {
      DeviceState hop = StateTable.nextHop(features, state, target);
      arc(state, hop);
      state = hop;
    }
  }

  private void arc(DeviceState from, DeviceState to) {
    if (from == DeviceState.STOP_COPY || (from.isPreCopy() && !to.saves())) {
      closeStreams();
    }
    if (from == DeviceState.RESUMING) {
      leaveResuming();
    }
    run(to);
    if (from.isPreCopy() && to == DeviceState.STOP_COPY) {
      lastImage();
    } else if (to.saves() && !from.saves()) {
      saving = new SaveStream(commands, pool, mostBytes, to.isPreCopy());
    } else if (to == DeviceState.RESUMING) {
      loading = new LoadStream(commands, pool, mostBytes);
    }
  }

  /** Have the device ask and answer as it does in a state: it stops asking first, and asks again last. */
  private void run(DeviceState to) {
    if (!to.startsDma()) {
      asking = suspend("initiator", Opcode.INITIATOR, asking);
    }
    if (to.answersPeers()) {
      answering = resume("responder", Opcode.RESPONDER, answering);
    } else {
      answering = suspend("responder", Opcode.RESPONDER, answering);
    }
    if (to.startsDma()) {
      asking = resume("initiator", Opcode.INITIATOR, asking);
    }
  }

  private boolean suspend(String part, int number, boolean works) {
    if (works) {
      commands.run("suspend the " + part, Opcode.SUSPEND, number);
    }
    return false;
  }

  /** The device resumes part 1 for what it suspends as part 0, and the other way round. */
  private boolean resume(String part, int number, boolean works) {
    if (!works) {
      commands.run("resume the " + part, Opcode.RESUME, 1 - number);
    }
    return true;
  }

  /** A device that stopped but could not be read is still in order: it stands in STOP, without a stream. */
  private void lastImage() {
    try {
      saveStream().stop();
    } catch (RuntimeException e) {
      closeStreams();
      state = DeviceState.STOP;
      throw e;
    }
  }

  private void leaveResuming() {
    LoadStream stream = loadStream();
    try {
      stream.requireComplete();
    } catch (RuntimeException e) {
      state = DeviceState.ERROR;
      throw e;
    } finally {
      closeStreams();
    }
  }

  /**
   * Return the stream that the device's state is read from.
   *
   * @throws IllegalStateException unless in PRE_COPY, PRE_COPY_P2P or STOP_COPY
   */
  public SaveStream saveStream() {
    if (saving == null) {
      throw new IllegalStateException(name() + ": is " + state + ", there is nothing to read");
    }
    return saving;
  }

  /**
   * Return the stream that the device's state is written to.
   *
   * @throws IllegalStateException unless in RESUMING
   */
  public LoadStream loadStream() {
    if (loading == null) {
      throw new IllegalStateException(name() + ": is " + state + ", nothing can be written");
    }
    return loading;
  }

  private void closeStreams() {
    if (saving != null) {
      saving.close();
      saving = null;
    }
    if (loading != null) {
      loading.close();
      loading = null;
    }
  }

  /** Forget everything the device knew, whatever state it is in; it is RUNNING, with the guest it had and no queues, and notes nothing. What the IOMMU notes is not the device's, and goes on. */
  public void reset() {
    slot.reset();
    state = DeviceState.RUNNING;
    asking = true;
    answering = true;
    new Closing().then(commands::renew).then(this::forgetTracking).then(this::closeStreams).end();
    slot.busMaster(true);
    if (window != null) {
      commands.write(Registers.GUEST_BASE, window.address());
      commands.write(Registers.GUEST_LENGTH, window.length());
    }
    tellPeer();
  }

  private void forgetTracking() {
    if (tracking instanceof DeviceTracking notes) {
      notes.forget();
    }
  }

  @Override
  public void quiesce() {
    if (state.startsDma()) {
      setState(DeviceState.STOP);
    }
  }

  @Override
  public void resume() {
    if (state == DeviceState.STOP) {
      setState(DeviceState.RUNNING);
    }
  }

  /**
   * Stop the device, unmap the guest, and let go, each whatever became of the step before: a device that is gone does not follow.
   *
   * @throws DmaMappingException DETACHED if the device cannot be shown to have stopped; an IOMMU keeps it from memory then, and where none translates its buffers are kept
   * @throws DmaMappingException QUARANTINED if a buffer could not be proved out of the device's reach, and keeps its pages: call {@link DmaMapper#releaseQuarantined} of {@link #mapper}, then close {@link #buffers}
   * @throws MigrationException if it did not stop to note what it writes
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    new Closing().then(this::stopTracking).then(this::stop).then(this::letGo).end();
  }

  private void stop() {
    slot.busMaster(false);
    stopped = true;
    slot.reset();
  }

  private void letGo() {
    if (!stopped && !mapper.limits().translates()) {
      throw new DmaMappingException(Reason.QUARANTINED, name() + ": cannot be shown to have stopped, so its buffers are kept; reset or remove the device, and close the machine");
    }
    new Closing().then(this::closeStreams).then(commands::renew).then(pool::close).then(this::closeWindow).then(mapper::close).end();
  }

  private void closeWindow() {
    if (window != null) {
      window.close();
    }
  }
}
