package io.twostep.machine.linux.vfiouser.server;

import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.vfiouser.protocol.Bytes;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.DeviceInfo;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.DmaUnmap;
import io.twostep.machine.linux.vfiouser.protocol.InterruptInfo;
import io.twostep.machine.linux.vfiouser.protocol.InterruptSet;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import io.twostep.machine.linux.vfiouser.protocol.RegionAccess;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.RegionInfo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Executes a client's commands, each checked before anything changes; the reply's payload is built in place. */
final class SessionCommands {
  /** Bytes of data that a message may carry. */
  static final int TRANSFER = 1 << 20;

  /** Descriptors that a message may carry. */
  static final int MOST_DESCRIPTORS = 16;

  private static final int IO_DESCRIPTORS_SIZE = 16;

  private final ServedDevice device;
  private final ClientRuns runs;
  private final ClientEvents events;
  private final MessageSocket socket;
  private final MemorySegment out;
  private List<Descriptor> passed = List.of();

  /** Whether registers can be passed to the client: there are some to pass, and it takes as many descriptors as a message of ours carries at the most, one. */
  private boolean sharesRegisters;

  SessionCommands(ServedDevice device, ClientRuns runs, ClientEvents events, MessageSocket socket) {
    this.device = device;
    this.runs = runs;
    this.events = events;
    this.socket = socket;
    out = socket.outgoing();
  }

  /**
   * Execute a command, and return the bytes of its reply; {@link #passed} goes along. Descriptors that came along are taken, or still the caller's if this throws.
   *
   * <p>The message may be gone when this returns: a model that is written to may ask the client for memory, which receives another.
   *
   * @throws ProtocolException if the command cannot be done; nothing changed then
   */
  int execute(Message message) {
    passed = List.of();
    int command = message.header().command();
    if (command != Command.DMA_MAP && command != Command.DEVICE_SET_IRQS) {
      message.requireNoDescriptors();
    }
    return switch (command) {
      case Command.DMA_MAP -> map(message.payload(), message.descriptors());
      case Command.DMA_UNMAP -> unmap(message.payload());
      case Command.DEVICE_GET_INFO -> info(message.payload());
      case Command.DEVICE_GET_REGION_INFO -> regionInfo(message.payload());
      case Command.DEVICE_GET_REGION_IO_FDS -> regionDescriptors(message.payload());
      case Command.DEVICE_GET_IRQ_INFO -> interruptInfo(message.payload());
      case Command.DEVICE_SET_IRQS -> setInterrupts(message.payload(), message.descriptors());
      case Command.REGION_READ -> read(message);
      case Command.REGION_WRITE -> write(message);
      case Command.DEVICE_RESET -> reset();
      default -> throw new ProtocolException(message.header() + " is no command of a client");
    };
  }

  /** Take note of how many descriptors the client takes with a message; none until then. */
  void limit(int descriptors) {
    sharesRegisters = device.shared() != null && descriptors > 0;
  }

  /** Tell whether the client can write registers by store. */
  boolean sharesRegisters() {
    return sharesRegisters;
  }

  /** Return the descriptors that go along with the reply to the last command; still the server's. */
  List<Descriptor> passed() {
    return passed;
  }

  private int map(MemorySegment payload, List<Descriptor> descriptors) {
    DmaMap map = DmaMap.read(payload);
    if (descriptors.size() > 1) {
      throw new ProtocolException(map + " with " + descriptors.size() + " descriptors; one holds the memory, or none");
    }
    runs.map(map, descriptors.isEmpty() ? Descriptor.NONE : descriptors.getFirst());
    socket.closeAll(descriptors);
    return 0;
  }

  private int unmap(MemorySegment payload) {
    DmaUnmap unmap = DmaUnmap.read(payload);
    runs.unmap(unmap);
    DmaUnmap.write(out, unmap.flags(), unmap.iova(), unmap.size());
    return DmaUnmap.SIZE;
  }

  private int info(MemorySegment payload) {
    DeviceInfo.read(payload);
    new DeviceInfo(DeviceInfo.RESETTABLE | DeviceInfo.PCI, RegionIndex.COUNT, InterruptInfo.KINDS).write(out);
    return DeviceInfo.SIZE;
  }

  private int regionInfo(MemorySegment payload) {
    RegionInfo info = device.region(RegionInfo.readIndex(payload));
    SharedRegisters shared = device.shared();
    if (shared == null || !sharesRegisters) {
      return info.withoutMap().write(out, RegionInfo.SIZE);
    }
    int written = info.write(out, RegionInfo.room(payload));
    passed = written > RegionInfo.SIZE ? List.of(shared.file()) : List.of();
    return written;
  }

  /** No region is signalled by eventfd. */
  private int regionDescriptors(MemorySegment payload) {
    if (payload.byteSize() < IO_DESCRIPTORS_SIZE) {
      throw new ProtocolException("DEVICE_GET_REGION_IO_FDS of " + payload.byteSize() + " bytes: it has at least " + IO_DESCRIPTORS_SIZE);
    }
    int index = Bytes.u32(payload, 8);
    device.region(index);
    Bytes.u32(out, 0, IO_DESCRIPTORS_SIZE);
    Bytes.u32(out, 4, 0);
    Bytes.u32(out, 8, index);
    Bytes.u32(out, 12, 0);
    return IO_DESCRIPTORS_SIZE;
  }

  private int interruptInfo(MemorySegment payload) {
    int kind = InterruptInfo.read(payload).index();
    requireKind(kind);
    new InterruptInfo(InterruptInfo.EVENTFD, kind, vectors(kind)).write(out);
    return InterruptInfo.SIZE;
  }

  private int setInterrupts(MemorySegment payload, List<Descriptor> descriptors) {
    InterruptSet set = InterruptSet.read(payload);
    requireKind(set.index());
    if (set.isOutside(vectors(set.index()))) {
      throw new ProtocolException(set + ": vectors outside the " + vectors(set.index()) + " there are");
    }
    if (!set.has(InterruptSet.TRIGGER)) {
      throw new ProtocolException(set + ": vectors cannot be masked one by one");
    }
    boolean taken = set.has(InterruptSet.EVENTFD) && descriptors.size() == set.count();
    if (!taken && !descriptors.isEmpty()) {
      throw new ProtocolException(set + " with " + descriptors.size() + " descriptors");
    }
    if (taken) {
      events.attach(set.start(), descriptors);
    } else if (set.has(InterruptSet.EVENTFD)) {
      detach(set.start(), set.count());
    } else if (set.has(InterruptSet.NONE) && set.count() == 0) {
      detach(0, vectors(set.index()));
    } else {
      signal(set, payload);
    }
    return 0;
  }

  private void detach(int start, int count) {
    for (int i = 0; i < count; i++) {
      events.detach(start + i);
    }
  }

  private void signal(InterruptSet set, MemorySegment payload) {
    for (int i = 0; i < set.count(); i++) {
      if (set.has(InterruptSet.NONE) || payload.get(ValueLayout.JAVA_BYTE, InterruptSet.SIZE + i) != 0) {
        events.signal(set.start() + i);
      }
    }
  }

  private static void requireKind(int kind) {
    if (kind < 0 || kind >= InterruptInfo.KINDS) {
      throw new ProtocolException("interrupts " + Integer.toUnsignedString(kind) + ", which a PCI function has not");
    }
  }

  private int vectors(int kind) {
    return kind == InterruptInfo.MSIX ? events.vectors() : 0;
  }

  private int read(Message message) {
    RegionAccess.require(message.length());
    MemorySegment asked = message.body();
    long offset = RegionAccess.offset(asked);
    int region = RegionAccess.region(asked);
    int count = requireTransfer(asked);
    device.read(region, offset, out, RegionAccess.SIZE, count);
    RegionAccess.write(out, offset, region, count);
    return RegionAccess.SIZE + count;
  }

  private int write(Message message) {
    MemorySegment asked = message.body();
    RegionAccess.requireData(asked, message.length());
    long offset = RegionAccess.offset(asked);
    int region = RegionAccess.region(asked);
    int count = requireTransfer(asked);
    device.write(region, offset, asked, RegionAccess.SIZE, count);
    RegionAccess.write(out, offset, region, count);
    return RegionAccess.SIZE;
  }

  private static int requireTransfer(MemorySegment asked) {
    int count = RegionAccess.count(asked);
    if (count <= 0 || count > TRANSFER) {
      throw new ProtocolException("access of " + RegionAccess.text(asked) + ": 1 to " + TRANSFER + " bytes");
    }
    return count;
  }

  private int reset() {
    device.reset();
    return 0;
  }
}
