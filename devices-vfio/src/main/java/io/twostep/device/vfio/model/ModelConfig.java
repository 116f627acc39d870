package io.twostep.device.vfio.model;

import io.twostep.device.vfio.state.MigrationFeatures;

/**
 * What kind of migratable device a model is.
 *
 * @param features the optional migration states it has
 * @param tracks whether it can report which pages of the guest it wrote
 * @param logEntries pages it can note between two reports; more is an overflow
 * @param queues queues it has, 1 to 16
 * @param inFlight most commands it works on at once
 * @param internalPages pages of 4 KiB of memory of its own, part of its state
 * @param pagesPerTurn most pages that it moves at a turn: how fast it is
 */
public record ModelConfig(MigrationFeatures features, boolean tracks, int logEntries, int queues, int inFlight, int internalPages, int pagesPerTurn) {
  /** All features, two queues, 8 commands in flight, 64 KiB of its own, fast. */
  public static final ModelConfig DEFAULT = new ModelConfig(new MigrationFeatures(true, true), true, 4096, 2, 8, 16, 64);

  public ModelConfig {
    require("log-entries", logEntries, 1, 1 << 20);
    require("queues", queues, 1, 16);
    require("in-flight", inFlight, 1, 64);
    require("internal-pages", internalPages, 1, 1 << 14);
    require("pages-per-turn", pagesPerTurn, 1, 1 << 10);
  }

  private static void require(String name, int value, int min, int max) {
    if (value < min || value > max) {
      throw new IllegalArgumentException(name + " is " + value + "; it must be from " + min + " to " + max);
    }
  }

  /** Return a copy with other {@link #features}. */
  public ModelConfig withFeatures(MigrationFeatures other) {
    return new ModelConfig(other, tracks, logEntries, queues, inFlight, internalPages, pagesPerTurn);
  }

  /** Return a copy with another {@link #tracks}. */
  public ModelConfig withTracks(boolean other) {
    return new ModelConfig(features, other, logEntries, queues, inFlight, internalPages, pagesPerTurn);
  }

  /** Return a copy with other {@link #logEntries}. */
  public ModelConfig withLogEntries(int other) {
    return new ModelConfig(features, tracks, other, queues, inFlight, internalPages, pagesPerTurn);
  }

  /** Return a copy with other {@link #internalPages}. */
  public ModelConfig withInternalPages(int other) {
    return new ModelConfig(features, tracks, logEntries, queues, inFlight, other, pagesPerTurn);
  }

  /** Return a copy with other {@link #pagesPerTurn}. */
  public ModelConfig withPagesPerTurn(int other) {
    return new ModelConfig(features, tracks, logEntries, queues, inFlight, internalPages, other);
  }
}
