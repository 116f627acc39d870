package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.vfiouser.protocol.Bytes;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.DeviceInfo;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.DmaUnmap;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import io.twostep.machine.linux.vfiouser.protocol.InterruptSet;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.RegionAccess;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import java.util.List;

/**
 * The device's commands as methods, each with its reply checked. Thread-safe.
 *
 * <p>Every method throws {@link io.twostep.dma.DmaMappingException} with DETACHED once the server is lost, and {@link RefusedException} if it answers with an error.
 */
final class RemoteDevice {
  private static final int ROOM = 4096;

  private final Connection connection;

  RemoteDevice(Connection connection) {
    this.connection = connection;
  }

  DeviceInfo info() {
    connection.lock();
    try {
      new DeviceInfo(0, 0, 0).write(connection.outgoing());
      return connection.exchange(
          Command.DEVICE_GET_INFO,
          DeviceInfo.SIZE,
          List.of(),
          reply -> {
            reply.requireNoDescriptors();
            return DeviceInfo.read(reply.payload());
          });
    } finally {
      connection.unlock();
    }
  }

  /** A region, and the descriptor to map it by; NONE if there is none. */
  record Region(RegionInfo info, Descriptor file) {}

  /** Ask for a region; the descriptor is the caller's. */
  Region region(int index) {
    connection.lock();
    try {
      RegionInfo.writeCommand(connection.outgoing(), index, ROOM);
      return connection.exchange(Command.DEVICE_GET_REGION_INFO, RegionInfo.SIZE, List.of(), reply -> region(index, reply));
    } finally {
      connection.unlock();
    }
  }

  /** What the reply has room for bounds the mappings that a server makes us make. */
  private static Region region(int index, Message reply) {
    if (reply.length() > ROOM) {
      throw new ProtocolException("told of region %d in %d bytes: there was room for %d".formatted(index, reply.length(), ROOM));
    }
    RegionInfo info = RegionInfo.read(reply.payload());
    int descriptors = reply.descriptors().size();
    if (info.index() != index) {
      throw new ProtocolException("was asked for region " + index + " and told of region " + info.index());
    }
    boolean canMap = (info.flags() & RegionInfo.MAP) != 0;
    if (descriptors > 1 || (descriptors == 1) != canMap) {
      throw new ProtocolException(
          "region %d %s be mapped and came with %d descriptors".formatted(index, canMap ? "can" : "cannot", descriptors));
    }
    return new Region(info, canMap ? reply.descriptors().getFirst() : Descriptor.NONE);
  }

  InterruptInfo interrupts(int kind) {
    connection.lock();
    try {
      new InterruptInfo(0, kind, 0).write(connection.outgoing());
      return connection.exchange(
          Command.DEVICE_GET_IRQ_INFO,
          InterruptInfo.SIZE,
          List.of(),
          reply -> {
            reply.requireNoDescriptors();
            InterruptInfo info = InterruptInfo.read(reply.payload());
            if (info.index() != kind || info.count() < 0) {
              throw new ProtocolException("was asked for interrupts " + kind + " and told of " + info);
            }
            return info;
          });
    } finally {
      connection.unlock();
    }
  }

  /** Tell whether the server takes descriptors; one that does not has no vectors, and asks for every byte of memory. A message of ours carries one at most. */
  boolean takesDescriptors() {
    return connection.server().descriptors() > 0;
  }

  /** Have a vector signal an eventfd, which stays the caller's. */
  void signalBy(int kind, int vector, Descriptor event) {
    setInterrupts(new InterruptSet(InterruptSet.EVENTFD | InterruptSet.TRIGGER, kind, vector, 1), List.of(event));
  }

  /** Have no vector of a kind signal any more. */
  void signalNone(int kind) {
    setInterrupts(new InterruptSet(InterruptSet.NONE | InterruptSet.TRIGGER, kind, 0, 0), List.of());
  }

  private void setInterrupts(InterruptSet set, List<Descriptor> events) {
    connection.lock();
    try {
      set.write(connection.outgoing());
      connection.exchange(Command.DEVICE_SET_IRQS, InterruptSet.SIZE, events, RemoteDevice::done);
    } finally {
      connection.unlock();
    }
  }

  /** Read 1, 2, 4 or 8 bytes of a region. */
  long read(int region, long offset, int width) {
    connection.lock();
    try {
      RegionAccess.write(connection.outgoing(), offset, region, width);
      Message reply = connection.exchange(Command.REGION_READ, RegionAccess.SIZE);
      RegionAccess.requireData(reply.body(), reply.length());
      RegionAccess.requireEcho(reply.body(), offset, region, width);
      return Bytes.number(reply.body(), RegionAccess.SIZE, width);
    } catch (ProtocolException e) {
      throw connection.lose(e.getMessage(), e);
    } finally {
      connection.unlock();
    }
  }

  /** Write 1, 2, 4 or 8 bytes of a region, and wait until it is done. */
  void write(int region, long offset, int width, long value) {
    connection.lock();
    try {
      buildWrite(region, offset, width, value);
      Message reply = connection.exchange(Command.REGION_WRITE, RegionAccess.SIZE + width);
      RegionAccess.require(reply.length());
      RegionAccess.requireEcho(reply.body(), offset, region, width);
    } catch (ProtocolException e) {
      throw connection.lose(e.getMessage(), e);
    } finally {
      connection.unlock();
    }
  }

  /** Write 1, 2, 4 or 8 bytes of a region as a bus does: what is asked later finds it done. */
  void post(int region, long offset, int width, long value) {
    connection.lock();
    try {
      buildWrite(region, offset, width, value);
      connection.post(Command.REGION_WRITE, RegionAccess.SIZE + width);
    } finally {
      connection.unlock();
    }
  }

  private void buildWrite(int region, long offset, int width, long value) {
    RegionAccess.write(connection.outgoing(), offset, region, width);
    Bytes.number(connection.outgoing(), RegionAccess.SIZE, width, value);
  }

  /**
   * Give the device memory.
   *
   * @param access bits of {@link DmaMap}
   * @param offset where it begins in its file
   * @param file its file, or nothing if the server has to ask for every byte
   */
  void map(long iova, long length, int access, long offset, List<Descriptor> file) {
    connection.lock();
    try {
      DmaMap.write(connection.outgoing(), access, offset, iova, length);
      connection.exchange(Command.DMA_MAP, DmaMap.SIZE, file, RemoteDevice::done);
    } finally {
      connection.unlock();
    }
  }

  /** Take memory from the device; returns the bytes that the server confirms. */
  long unmap(long iova, long length) {
    connection.lock();
    try {
      DmaUnmap.write(connection.outgoing(), 0, iova, length);
      Message reply = connection.exchange(Command.DMA_UNMAP, DmaUnmap.SIZE);
      return DmaUnmap.confirmed(reply.body(), reply.length(), iova, length);
    } catch (ProtocolException e) {
      throw connection.lose(e.getMessage(), e);
    } finally {
      connection.unlock();
    }
  }

  void reset() {
    connection.lock();
    try {
      connection.exchange(Command.DEVICE_RESET, 0, List.of(), RemoteDevice::done);
    } finally {
      connection.unlock();
    }
  }

  private static Boolean done(Message reply) {
    reply.requireEmpty();
    return true;
  }
}
