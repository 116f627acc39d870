package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.SmartLogLayout;
import java.lang.foreign.MemorySegment;

/** The counters of the SMART log. */
final class Health {
  private static final int TEMPERATURE_KELVIN = 305;
  private static final long UNIT = 512_000;

  long bytesRead;
  long bytesWritten;
  long readCommands;
  long writeCommands;
  long mediaErrors;
  long powerCycles = 1;

  /** Write the log page. */
  void write(MemorySegment page, long errorLogEntries) {
    SmartLogLayout.TEMPERATURE_LOW.set(page, 0, TEMPERATURE_KELVIN & 0xff);
    SmartLogLayout.TEMPERATURE_HIGH.set(page, 0, TEMPERATURE_KELVIN >>> 8);
    SmartLogLayout.AVAILABLE_SPARE.set(page, 0, 100);
    SmartLogLayout.SPARE_THRESHOLD.set(page, 0, 10);
    SmartLogLayout.DATA_UNITS_READ.set(page, 0, Math.ceilDiv(bytesRead, UNIT));
    SmartLogLayout.DATA_UNITS_WRITTEN.set(page, 0, Math.ceilDiv(bytesWritten, UNIT));
    SmartLogLayout.HOST_READ_COMMANDS.set(page, 0, readCommands);
    SmartLogLayout.HOST_WRITE_COMMANDS.set(page, 0, writeCommands);
    SmartLogLayout.POWER_CYCLES.set(page, 0, powerCycles);
    SmartLogLayout.MEDIA_ERRORS.set(page, 0, mediaErrors);
    SmartLogLayout.ERROR_LOG_ENTRIES.set(page, 0, errorLogEntries);
  }
}
