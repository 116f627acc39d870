package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.migrate.Ownership.Side;
import java.util.EnumSet;
import java.util.Set;

/**
 * Which side may run a guest, by the ownership record, and which sides could start it again from what they kept.
 *
 * @param record what the record says
 * @param checkpointWhole whether the source kept a guest, whole and of this record
 * @param spoolWhole whether the destination kept the guest of the migration that the record names, whole
 */
public record Verdict(Ownership record, boolean checkpointWhole, boolean spoolWhole) {
  /** Who may run the guest. */
  public enum Answer {
    /** The source, and nobody else. */
    SOURCE,
    /** The destination, and nobody else. */
    DESTINATION,
    /** A migration is under way: nobody that was lost, before one side is decided for. */
    UNRESOLVED
  }

  /** Return who may run the guest. */
  public Answer answer() {
    if (record.holder() == Side.DESTINATION) {
      return Answer.DESTINATION;
    }
    return record.session() == 0 ? Answer.SOURCE : Answer.UNRESOLVED;
  }

  /** Return the sides that can start the guest again from what they kept; while unresolved that takes a claim. */
  public Set<Side> resumable() {
    Set<Side> sides = EnumSet.noneOf(Side.class);
    if (checkpointWhole && answer() != Answer.DESTINATION) {
      sides.add(Side.SOURCE);
    }
    if (spoolWhole && answer() != Answer.SOURCE) {
      sides.add(Side.DESTINATION);
    }
    return sides;
  }

  /** Say it in one line, with what to do. */
  public String explain() {
    String kept = "the source's checkpoint is " + whole(checkpointWhole) + ", the destination's spool is " + whole(spoolWhole);
    return switch (answer()) {
      case SOURCE -> "the source holds the guest (" + record + "): " + (checkpointWhole ? "resume it there" : "go on where its memory is; nothing was kept to resume it from") + "; " + kept;
      case DESTINATION ->
          "the destination holds the guest (" + record + "): " + (spoolWhole ? "resume it there" : "go on where its memory is; nothing was kept to resume it from") + "; " + kept;
      case UNRESOLVED -> "migration " + record.session() + " is not resolved (" + record + "): " + kept + "; " + decision();
    };
  }

  private String decision() {
    return resumable().isEmpty()
        ? "wait for the side that lives, or cancel there"
        : "wait for the side that lives, or claim the guest for one of " + resumable() + ", which fences the other off";
  }

  private static String whole(boolean whole) {
    return whole ? "whole" : "not whole or not there";
  }
}
