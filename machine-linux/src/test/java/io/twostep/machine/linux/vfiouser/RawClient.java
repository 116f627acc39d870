package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.vfiouser.protocol.Bytes;
import io.twostep.machine.linux.vfiouser.protocol.Capabilities;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.DmaMap;
import io.twostep.machine.linux.vfiouser.protocol.Header;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.MessageSocket;
import io.twostep.machine.linux.vfiouser.protocol.RegionAccess;
import io.twostep.machine.linux.vfiouser.protocol.RegionIndex;
import io.twostep.machine.linux.vfiouser.protocol.Version;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;

/** A client that can say anything. */
final class RawClient implements AutoCloseable {
  private static final long PATIENCE = 20_000_000_000L;

  final Kernel kernel = Kernel.host();
  final MessageSocket socket;
  private int lastId;

  RawClient(Path path) {
    Descriptor descriptor = kernel.socket("raw client");
    kernel.connect(descriptor, path.toString());
    socket = new MessageSocket(kernel, descriptor, System::nanoTime, 1 << 20, 16);
  }

  RawClient negotiate() {
    return negotiate(Capabilities.DEFAULT);
  }

  RawClient negotiate(Capabilities ours) {
    int length = new Version(0, 1, ours).write(socket.outgoing());
    say(Command.VERSION, Header.COMMAND, length);
    hear();
    return this;
  }

  void say(int command, int flags, int payload, Descriptor... passed) {
    socket.send(++lastId & 0xffff, command, flags, 0, payload, List.of(passed), System.nanoTime() + PATIENCE);
  }

  /** Return the next message, null if the server takes too long. */
  Message hear() {
    return socket.receive(System.nanoTime() + PATIENCE);
  }

  /** Say a command whose payload is written in hexadecimal, and return the error number of the reply. */
  int ask(int command, String payload, Descriptor... passed) {
    byte[] bytes = HexFormat.of().parseHex(payload.replace(" ", ""));
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, socket.outgoing(), 0, bytes.length);
    say(command, Header.COMMAND, bytes.length, passed);
    return errnoOf(hear());
  }

  int errnoOf(Message reply) {
    socket.closeAll(reply.descriptors());
    return reply.header().isError() ? reply.header().errno() : 0;
  }

  int write(int region, long offset, int width, long value) {
    RegionAccess.write(socket.outgoing(), offset, region, width);
    Bytes.number(socket.outgoing(), RegionAccess.SIZE, width, value);
    say(Command.REGION_WRITE, Header.COMMAND, RegionAccess.SIZE + width);
    return errnoOf(hear());
  }

  long read(int region, long offset, int width) {
    RegionAccess.write(socket.outgoing(), offset, region, width);
    say(Command.REGION_READ, Header.COMMAND, RegionAccess.SIZE);
    return Bytes.number(hear().body(), RegionAccess.SIZE, width);
  }

  int map(long iova, long size, int access, Descriptor... file) {
    DmaMap.write(socket.outgoing(), access, 0, iova, size);
    say(Command.DMA_MAP, Header.COMMAND, DmaMap.SIZE, file);
    return errnoOf(hear());
  }

  void busMaster() {
    write(RegionIndex.CONFIG, 4, 2, 6);
  }

  /** Have a {@link CopyDevice} copy. */
  void copy(long source, long target, long length) {
    write(0, CopyDevice.SOURCE, 8, source);
    write(0, CopyDevice.TARGET, 8, target);
    write(0, CopyDevice.LENGTH, 8, length);
    write(0, CopyDevice.DOORBELL, 4, 1);
  }

  /** Have a {@link CopyDevice} copy, and return its status once it has. */
  long copied(long source, long target, long length) {
    long before = read(0, CopyDevice.DONE, 4);
    copy(source, target, length);
    while (read(0, CopyDevice.DONE, 4) == before) {
      Thread.onSpinWait();
    }
    return read(0, CopyDevice.STATUS, 4);
  }

  Descriptor memory(long bytes) {
    Descriptor file = kernel.memfd("client memory", 0);
    kernel.truncate(file, bytes);
    return file;
  }

  @Override
  public void close() {
    socket.close();
  }
}
