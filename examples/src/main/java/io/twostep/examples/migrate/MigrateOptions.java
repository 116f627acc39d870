package io.twostep.examples.migrate;

/**
 * What to migrate, and how.
 *
 * @param memoryBytes the guest's memory, whole pages
 * @param dirtyRate bytes a second that its devices are told to write, all together
 * @param downtimeNanos how long the guest may stand still
 * @param devices how many devices it has
 * @param abortPercent cancel when this much of the memory was sent, 100 for when the guest stands still; negative for never
 */
public record MigrateOptions(long memoryBytes, long dirtyRate, long downtimeNanos, int devices, int abortPercent) {
  /** Tell whether it is to be cancelled on the way. */
  public boolean aborts() {
    return abortPercent >= 0;
  }
}
