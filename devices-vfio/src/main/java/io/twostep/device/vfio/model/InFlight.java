package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.CommandLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** A command that was fetched and whose completion was not written yet. */
final class InFlight {
  /** Bytes of it in an image. */
  static final int BYTES = 64;

  int queue;
  int opcode;
  int id;
  int status;
  int checksum;
  long source;
  long target;
  long length;
  long seed;
  long done;

  static InFlight of(int queue, MemorySegment entry) {
    InFlight command = new InFlight();
    command.queue = queue;
    command.opcode = entry.get(CommandLayout.U32, CommandLayout.OPCODE);
    command.id = entry.get(CommandLayout.U32, CommandLayout.ID);
    command.source = entry.get(CommandLayout.U64, CommandLayout.SOURCE);
    command.target = entry.get(CommandLayout.U64, CommandLayout.TARGET);
    command.length = entry.get(CommandLayout.U64, CommandLayout.LENGTH);
    command.seed = entry.get(CommandLayout.U64, CommandLayout.SEED);
    if (!command.isKnown()) {
      command.fail(CommandLayout.BAD_ENTRY);
    }
    return command;
  }

  private boolean isKnown() {
    return opcode >= CommandLayout.FILL && opcode <= CommandLayout.POST && length > 0 && length % Long.BYTES == 0;
  }

  /** Tell whether a device could have come to this: done, or on its way through what it can do. */
  private boolean isPossible() {
    return isDone() || (isKnown() && done >= 0 && done < length && done % Long.BYTES == 0 && (done == 0 || opcode != CommandLayout.POST));
  }

  /** End it: nothing more is moved. */
  void fail(int why) {
    status = why;
    done = length;
  }

  boolean isDone() {
    return done == length;
  }

  void save(ByteBuffer image) {
    image.putInt(queue).putInt(opcode).putInt(id).putInt(status).putInt(checksum).putInt(0);
    image.putLong(source).putLong(target).putLong(length).putLong(seed).putLong(done);
  }

  /** Take a command from an image; throws {@link IllegalArgumentException} if it cannot be one of {@code queues} queues. */
  static InFlight load(ByteBuffer image, int queues) {
    InFlight command = new InFlight();
    command.queue = image.getInt();
    command.opcode = image.getInt();
    command.id = image.getInt();
    command.status = image.getInt();
    command.checksum = image.getInt();
    image.getInt();
    command.source = image.getLong();
    command.target = image.getLong();
    command.length = image.getLong();
    command.seed = image.getLong();
    command.done = image.getLong();
    if (command.queue < 0 || command.queue >= queues || !command.isPossible()) {
      throw new IllegalArgumentException("command " + command.id + " of queue " + command.queue + " is none that this device could be at");
    }
    return command;
  }
}
