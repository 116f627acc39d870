package io.twostep.machine.linux.vfiouser;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.vfiouser.protocol.Command;
import io.twostep.machine.linux.vfiouser.protocol.DmaAccess;
import io.twostep.machine.linux.vfiouser.protocol.Message;
import io.twostep.machine.linux.vfiouser.protocol.ProtocolException;
import java.lang.foreign.MemorySegment;

/** Does a server's DMA_READ or DMA_WRITE to memory that it was given without a descriptor. */
record MemoryAnswer(Connection.Target memory, int transfer) {
  /** Do the access and build its reply in {@code reply}; returns 0 or an error number. */
  int answer(Message message, MemorySegment reply) {
    boolean isRead = message.header().command() == Command.DMA_READ;
    DmaAccess access;
    try {
      access = isRead ? DmaAccess.read(message.payload()) : DmaAccess.readWithData(message.payload());
    } catch (ProtocolException e) {
      return e.errno();
    }
    if (access.count() <= 0 || access.count() > transfer) {
      return Errno.EINVAL;
    }
    access.write(reply);
    return isRead
        ? memory.read(access.iova(), reply.asSlice(DmaAccess.SIZE, access.count()))
        : memory.write(access.iova(), message.payload().asSlice(DmaAccess.SIZE));
  }

  /** Return the bytes of the reply to an access that was done. */
  static int payload(Message message) {
    return message.header().command() == Command.DMA_READ
        ? DmaAccess.SIZE + (int) DmaAccess.read(message.payload()).count()
        : DmaAccess.SIZE;
  }
}
