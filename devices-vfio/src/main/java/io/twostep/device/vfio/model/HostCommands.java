package io.twostep.device.vfio.model;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Carries out the host's commands, one at a time: suspend and resume, save and load, tracking. */
final class HostCommands {
  private static final int MOST_RANGES = 8;

  final long[] arguments = new long[6];
  final long[] results = new long[3];
  private final MigratableModel device;
  private final BusMaster bus;
  private final WriteLog log;
  private final DeviceImage image;
  private long ring;
  private int ringEntries;
  private int status = Registers.DONE;
  private int opcode;
  private byte[] moving = {};
  private int moved;
  private boolean marked;
  private @Nullable TableAccess table;

  HostCommands(MigratableModel device, BusMaster bus, WriteLog log, DeviceImage image) {
    this.device = device;
    this.bus = bus;
    this.log = log;
    this.image = image;
  }

  int status() {
    return status;
  }

  int opcode() {
    return opcode;
  }

  /** Begin a command; a second one while one runs is refused, and ends both. */
  void begin(int next) {
    opcode = next;
    results[0] = 0;
    results[1] = 0;
    results[2] = 0;
    if (status == Registers.BUSY) {
      finish(Registers.BAD_COMMAND);
    } else {
      status = start();
    }
  }

  private int start() {
    return switch (opcode) {
      case Opcode.SUSPEND -> device.suspend((int) arguments[0], true) ? Registers.DONE : Registers.BAD_COMMAND;
      case Opcode.RESUME -> device.suspend(1 - (int) arguments[0], false) ? Registers.DONE : Registers.BAD_COMMAND;
      case Opcode.QUERY -> query();
      case Opcode.SAVE -> startSave();
      case Opcode.LOAD -> startLoad();
      case Opcode.TRACK_CREATE -> track();
      case Opcode.TRACK_REPORT -> report();
      case Opcode.TRACK_DESTROY -> stopTracking();
      default -> Registers.BAD_COMMAND;
    };
  }

  private int query() {
    boolean incremental = arguments[0] == Opcode.INCREMENTAL;
    results[0] = incremental && !device.isChanged() ? 0 : image.bytes(incremental);
    return Registers.DONE;
  }

  private int startSave() {
    boolean incremental = (arguments[0] & Opcode.INCREMENTAL) != 0;
    moving = image.save(incremental, device.mailbox());
    results[0] = moving.length;
    if (moving.length > arguments[3]) {
      return Registers.BAD_COMMAND;
    }
    int begun = startMoving();
    marked = begun == Registers.BUSY && (arguments[0] & Opcode.TRACK) != 0;
    if (marked) {
      device.markSaved();
    }
    return begun;
  }

  private int startLoad() {
    if (!device.isStopped() || arguments[3] <= 0 || arguments[3] > device.mostImageBytes()) {
      return Registers.BAD_COMMAND;
    }
    moving = new byte[(int) arguments[3]];
    return startMoving();
  }

  private int startMoving() {
    table = TableAccess.read(bus, arguments[1], arguments[2]);
    moved = 0;
    return table == null ? Registers.BUS_ERROR : Registers.BUSY;
  }

  /** Go on with what takes time; returns whether there is more to do. */
  boolean work() {
    TableAccess through = table;
    if (status != Registers.BUSY || through == null) {
      return false;
    }
    int count = through.move(moving, moved, opcode == Opcode.SAVE);
    moved += Math.max(count, 0);
    if (count < 0) {
      finish(Registers.BUS_ERROR);
    } else if (moved == moving.length) {
      finish(opcode == Opcode.LOAD ? load() : Registers.DONE);
    }
    return status == Registers.BUSY;
  }

  private void finish(int how) {
    if (marked && how != Registers.DONE) {
      device.markUnsaved();
    }
    marked = false;
    status = how;
    table = null;
    moving = new byte[0];
  }

  private int load() {
    try {
      device.mailbox(image.load(moving));
      return Registers.DONE;
    } catch (IllegalArgumentException e) {
      return Registers.BAD_IMAGE;
    }
  }

  private int track() {
    long pageSize = arguments[0];
    int ranges = (int) arguments[4];
    boolean shaped = pageSize >= 4096 && Long.bitCount(pageSize) == 1 && ranges > 0 && ranges <= MOST_RANGES && arguments[2] > 0 && arguments[2] <= 1 << 20;
    if (!shaped || !device.tracks()) {
      return Registers.BAD_COMMAND;
    }
    MemorySegment words = MemorySegment.ofArray(new byte[ranges * 16]);
    if (bus.read(arguments[3], words, 0, words.byteSize()) != BusMaster.OK) {
      return Registers.BUS_ERROR;
    }
    long[] tracked = new long[2 * ranges];
    for (int i = 0; i < tracked.length; i++) {
      tracked[i] = words.get(CommandLayout.U64, (long) i * Long.BYTES);
    }
    ring = arguments[1];
    ringEntries = (int) arguments[2];
    log.start(pageSize, tracked);
    return Registers.DONE;
  }

  /** An overflow is told once, with whatever the log lost then counted as written by the host. A report that fails told nothing. */
  private int report() {
    if (!log.isOn()) {
      return Registers.BAD_COMMAND;
    }
    if (log.overflowed()) {
      log.clearOverflow();
      results[1] = Opcode.OVERFLOW;
      return Registers.DONE;
    }
    MemorySegment entry = MemorySegment.ofArray(new byte[Long.BYTES]);
    List<Long> taken = new ArrayList<>();
    for (int i = 0; i < ringEntries; i++) {
      long page = log.take(arguments[0], arguments[1]);
      if (page < 0) {
        return Registers.DONE;
      }
      taken.add(page);
      entry.set(CommandLayout.U64, 0, page);
      if (bus.write(ring + (long) i * Long.BYTES, entry, 0, Long.BYTES) != BusMaster.OK) {
        log.putBack(taken);
        return Registers.BUS_ERROR;
      }
      results[0] = i + 1L;
    }
    results[1] = log.hasAny(arguments[0], arguments[1]) ? Opcode.MORE : 0;
    return Registers.DONE;
  }

  private int stopTracking() {
    log.stop();
    return Registers.DONE;
  }

  void reset() {
    finish(Registers.DONE);
    opcode = 0;
    log.stop();
  }
}
