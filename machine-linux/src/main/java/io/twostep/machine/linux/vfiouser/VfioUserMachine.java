package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.AddressSpace;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.OffsetWindow;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Timers;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.run.EventLoop;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A machine of one device, which another process serves over a UNIX socket.
 *
 * <p>Memory lies in files that live in memory and are passed to the server. With translation the server gets the blocks that are mapped for it, each when it is mapped; without, all
 * memory at once. Whatever was passed can be reached by the server as long as it likes, so what a server did not confirm to have let go of is quarantined; a block's pages are
 * never used for anything else.
 *
 * <p>A server that dies, stalls or breaks the protocol is lost: one line says why, registers read all ones, and what maps, allocates or opens is refused with DETACHED. Thread-safe.
 */
public final class VfioUserMachine implements Machine {
  /** The device's address. */
  public static final DeviceAddress DEVICE = new DeviceAddress("vfio-user-0");

  private static final long LOOK_NANOS = 50_000_000;

  private final EventLoop loop;
  private final Connection connection;
  private final DeviceMemory memory;
  private final RemoteIommu iommu;
  private final RemoteSlot slot;
  private final RemoteSpace space;
  private boolean closed;

  /**
   * Connect to the server and look at its device.
   *
   * @throws io.twostep.machine.linux.SystemCallException if nobody listens at the socket, or this process has no memory or descriptors left
   * @throws io.twostep.dma.DmaMappingException DETACHED if the server does not answer, or not as the protocol wants it
   */
  public static VfioUserMachine open(VfioUserConfig config) {
    return open(config, Kernel.host(), System::nanoTime);
  }

  static VfioUserMachine open(VfioUserConfig config, Kernel kernel, LongSupplier nanoTime) {
    String name = DEVICE + " (" + config.socket() + ")";
    Connection connection = Connection.open(kernel, config.socket().toString(), name, config.timeoutNanos(), nanoTime);
    List<Runnable> opened = new ArrayList<>(List.of(connection::close));
    try {
      EventLoop loop = new EventLoop(kernel, name);
      opened.add(loop::close);
      DeviceMemory memory =
          config.translated()
              ? new FileMemory(kernel, name, config.memory(), connection::requireAlive)
              : PooledMemory.open(kernel, name, config.memory(), connection::requireAlive);
      opened.add(memory::close);
      return new VfioUserMachine(config, kernel, loop, connection, memory);
    } catch (RuntimeException e) {
      throw Closing.after(e, opened.toArray(Runnable[]::new));
    }
  }

  private VfioUserMachine(VfioUserConfig config, Kernel kernel, EventLoop loop, Connection connection, DeviceMemory memory) {
    this.loop = loop;
    this.connection = connection;
    this.memory = memory;
    RemoteDevice device = new RemoteDevice(connection);
    int maps = Math.min(config.maps(), connection.server().maps());
    boolean passes = config.descriptors() && device.takesDescriptors();
    iommu = new RemoteIommu(DEVICE, connection, device, memory, passes, maps, config.addressBits());
    connection.serve(iommu);
    slot = new RemoteSlot(kernel, loop, DEVICE, config.trusted(), connection, device);
    try {
      space = new RemoteSpace("server " + config.socket(), config.translated() ? iommu : null, mapAll(memory), slot);
      if (passes) {
        lookAfter();
      } else {
        EventLoop.Watch watch = loop.watch(connection.descriptor(), connection::answerPending);
        connection.onLost(watch::cancel);
      }
    } catch (RuntimeException e) {
      throw Closing.after(e, slot::close);
    }
  }

  /** Map a pool as a whole, below 4 GiB if it fits. */
  private List<OffsetWindow> mapAll(DeviceMemory all) {
    if (!(all instanceof PooledMemory pool)) {
      return List.of();
    }
    iommu.map(VfioUserConfig.FIRST_IOVA, pool.first(), pool.length(), DmaMap.READ | DmaMap.WRITE);
    return List.of(new OffsetWindow(pool.first(), VfioUserConfig.FIRST_IOVA, pool.length()));
  }

  /** A server that has descriptors asks nothing: look now and then whether it is still there, so that a wait for it ends. */
  private void lookAfter() {
    connection.answerPending();
    if (!connection.isLost()) {
      loop.schedule(LOOK_NANOS, this::lookAfter);
    }
  }

  @Override
  public String name() {
    return "vfio-user";
  }

  @Override
  public PhysicalMemory memory() {
    return memory;
  }

  @Override
  public List<DeviceSlot> slots() {
    return List.of(slot);
  }

  @Override
  public AddressSpace addressSpaceFor(DeviceSlot of) {
    if (of != slot) {
      throw new IllegalArgumentException(of.address() + " is not a slot of this machine");
    }
    return space;
  }

  @Override
  public Timers timers() {
    return loop;
  }

  /** Return why the server is lost, null as long as it is not. */
  public @Nullable String lost() {
    return connection.lostBecause();
  }

  /** Stop the device, hang up, and give everything back, memory that is quarantined included: pages that a lost server keeps are its own. */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    new Closing().then(() -> slot.busMaster(false)).then(slot::close).then(connection::close).then(loop::close).then(memory::close).end();
  }
}
