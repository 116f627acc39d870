package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.ErrorLogLayout;
import io.twostep.device.nvme.wire.FirmwareSlotLayout;
import io.twostep.device.nvme.wire.LogPageCommandLayout;
import io.twostep.device.nvme.wire.SmartLogLayout;
import java.lang.foreign.MemorySegment;

/** Writes the log pages of the model (Base 5.16.1). */
final class LogPages {
  private static final int CHANGED_NAMESPACES_SIZE = 4096;

  private final ErrorLog errors;
  private final Health health;
  private final AsyncEvents events;

  LogPages(ErrorLog errors, Health health, AsyncEvents events) {
    this.errors = errors;
    this.health = health;
    this.events = events;
  }

  /** Write a log page into a zeroed page; returns its size, or -1 if there is no such log page. */
  int write(int id, MemorySegment page) {
    return switch (id) {
      case LogPageCommandLayout.LID_ERROR -> {
        errors.write(page);
        yield ErrorLog.ENTRIES * ErrorLogLayout.SIZE;
      }
      case LogPageCommandLayout.LID_SMART -> {
        health.write(page, errors.count());
        yield SmartLogLayout.SIZE;
      }
      case LogPageCommandLayout.LID_FIRMWARE_SLOT -> {
        FirmwareSlotLayout.AFI.set(page, 0, 1);
        FirmwareSlotLayout.REVISION_1.setText(page, 0, "1.0");
        yield FirmwareSlotLayout.SIZE;
      }
      case LogPageCommandLayout.LID_CHANGED_NAMESPACES -> CHANGED_NAMESPACES_SIZE;
      default -> -1;
    };
  }

  /** Note that a log page was read for good: its events may be reported again. */
  void wasRead(int id) {
    events.logRead(id);
  }
}
