package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.FillPattern;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Works on commands of all queues at once, a page of each in turn, so that there are always some half done. */
final class CopyEngine {
  private static final int PIECE = 4096;

  /** Bytes of an image before the queues. */
  private static final int HEADER = 24;

  private final List<QueueState> queues = new ArrayList<>();
  private final List<InFlight> inFlight = new ArrayList<>();
  private final InternalMemory internal;
  private final int mostInFlight;
  private final MemorySegment buffer = MemorySegment.ofArray(new byte[PIECE]);
  private int turn;
  private int nextQueue;
  private long pieces;
  private long done;
  private boolean changed;
  private boolean changedBefore;

  CopyEngine(ModelConfig config, InternalMemory internal) {
    this.internal = internal;
    mostInFlight = config.inFlight();
    for (int i = 0; i < config.queues(); i++) {
      queues.add(new QueueState());
    }
  }

  QueueState queue(int number) {
    return queues.get(number);
  }

  int queues() {
    return queues.size();
  }

  /** Write a register of a queue. */
  void write(int queue, long register, long value) {
    queues.get(queue).write(register, value);
    if (queues.get(queue).isOff()) {
      dropCommandsOfQueuesThatAreOff();
    }
    changed = true;
  }

  /** A queue that is off has nobody to tell of its commands, and its guest may have given their memory to something else: they end, and leave their places to others. */
  private void dropCommandsOfQueuesThatAreOff() {
    inFlight.removeIf(command -> queues.get(command.queue).isOff());
  }

  /** Tell whether its state differs from what the last tracked save saw. */
  boolean isChanged() {
    return changed;
  }

  void markSaved() {
    changedBefore = changed;
    changed = false;
  }

  /** What was marked as saved last was not. */
  void markUnsaved() {
    changed |= changedBefore;
  }

  /** Return how many pieces of work were done since power-on. */
  long pieces() {
    return pieces;
  }

  int inFlight() {
    return inFlight.size();
  }

  /** Do one piece of work; returns whether there was any. */
  boolean work(GuestBus bus) {
    fetch(bus);
    for (int tried = 0; tried < inFlight.size(); tried++) {
      turn = turn >= inFlight.size() ? 0 : turn;
      InFlight command = inFlight.get(turn);
      if (!command.isDone()) {
        move(bus, command);
        turn++;
        pieces++;
        changed = true;
        return true;
      }
      if (complete(bus, command)) {
        inFlight.remove(turn);
        dropCommandsOfQueuesThatAreOff();
        pieces++;
        changed = true;
        return true;
      }
      turn++;
    }
    return false;
  }

  /** Tell whether a further piece can be done now. */
  boolean hasWork() {
    for (InFlight command : inFlight) {
      if (!command.isDone() || queues.get(command.queue).hasRoomForCompletion()) {
        return true;
      }
    }
    return inFlight.size() < mostInFlight && queues.stream().anyMatch(QueueState::hasSubmission);
  }

  private void fetch(GuestBus bus) {
    for (int i = 0; i < queues.size() && inFlight.size() < mostInFlight; i++) {
      nextQueue = (nextQueue + 1) % queues.size();
      QueueState queue = queues.get(nextQueue);
      if (queue.hasSubmission()) {
        changed = true;
        long entry = queue.submissions + (long) (queue.fetched & queue.entries - 1) * CommandLayout.SUBMISSION;
        if (bus.read(entry, buffer, 0, CommandLayout.SUBMISSION) != BusMaster.OK) {
          queue.entries = 0;
          dropCommandsOfQueuesThatAreOff();
          continue;
        }
        queue.fetched++;
        inFlight.add(InFlight.of(nextQueue, buffer));
      }
    }
  }

  private void move(GuestBus bus, InFlight command) {
    long count = Math.min(PIECE, command.length - command.done);
    int status =
        switch (command.opcode) {
          case CommandLayout.FILL -> {
            FillPattern.fill(buffer, 0, count, command.seed, command.done / Long.BYTES);
            yield bus.write(command.target + command.done, buffer, 0, count);
          }
          case CommandLayout.COPY -> {
            int read = bus.read(command.source + command.done, buffer, 0, count);
            yield read == BusMaster.OK ? bus.write(command.target + command.done, buffer, 0, count) : read;
          }
          default -> {
            count = command.length;
            buffer.set(CommandLayout.U64, 0, command.seed);
            yield bus.post(command.target, buffer, Long.BYTES);
          }
        };
    if (status != BusMaster.OK) {
      command.fail(CommandLayout.BUS_ERROR);
      return;
    }
    command.checksum = command.checksum * 31 + buffer.get(CommandLayout.U32, 0);
    command.done += count;
  }

  private boolean complete(GuestBus bus, InFlight command) {
    QueueState queue = queues.get(command.queue);
    if (!queue.hasRoomForCompletion()) {
      return false;
    }
    long entry = queue.completions + (long) (queue.completed & queue.entries - 1) * CommandLayout.COMPLETION;
    buffer.set(CommandLayout.U32, 0, command.id);
    buffer.set(CommandLayout.U32, CommandLayout.STATUS, command.status);
    buffer.set(CommandLayout.U32, CommandLayout.CHECKSUM, command.checksum);
    buffer.set(CommandLayout.U32, CommandLayout.PHASE, queue.phase());
    if (bus.write(entry, buffer, 0, CommandLayout.PHASE) != BusMaster.OK
        || bus.write(entry + CommandLayout.PHASE, buffer, CommandLayout.PHASE, Integer.BYTES) != BusMaster.OK) {
      queue.entries = 0;
    }
    queue.completed++;
    done++;
    internal.remember(command.id, command.checksum);
    return true;
  }

  /** Return the bytes of its state in an image. */
  int imageBytes() {
    return HEADER + queues.size() * QueueState.BYTES + inFlight.size() * InFlight.BYTES;
  }

  static int mostImageBytes(ModelConfig config) {
    return HEADER + config.queues() * QueueState.BYTES + config.inFlight() * InFlight.BYTES;
  }

  void save(ByteBuffer image) {
    image.putInt(queues.size()).putInt(inFlight.size()).putInt(turn).putInt(nextQueue).putLong(done);
    queues.forEach(queue -> queue.save(image));
    inFlight.forEach(command -> command.save(image));
  }

  /** Take over the state of an image; throws {@link IllegalArgumentException} for one of another device. */
  void load(ByteBuffer image) {
    int bytes = image.remaining();
    int queueCount = bytes < HEADER ? 0 : image.getInt();
    int commands = bytes < HEADER ? 0 : image.getInt();
    if (queueCount != queues.size() || commands < 0 || commands > mostInFlight || bytes < HEADER + queueCount * QueueState.BYTES + commands * InFlight.BYTES) {
      throw new IllegalArgumentException(bytes + " bytes with " + queueCount + " queues and " + commands + " commands in flight are not of this device");
    }
    turn = image.getInt();
    nextQueue = image.getInt();
    if (turn < 0 || turn > mostInFlight || nextQueue < 0 || nextQueue >= queueCount) {
      throw new IllegalArgumentException("turn " + turn + " at queue " + nextQueue + " is not of this device");
    }
    done = image.getLong();
    changed = true;
    queues.forEach(queue -> queue.load(image));
    inFlight.clear();
    for (int i = 0; i < commands; i++) {
      InFlight command = InFlight.load(image, queueCount);
      if (queues.get(command.queue).isOff()) {
        throw new IllegalArgumentException("command " + command.id + " is of queue " + command.queue + ", which is off");
      }
      inFlight.add(command);
    }
  }

  void reset() {
    queues.forEach(QueueState::reset);
    inFlight.clear();
    turn = 0;
    nextQueue = 0;
    done = 0;
    changed = false;
  }
}
