package io.twostep.examples.cli;

import io.twostep.device.nvme.NvmeErrorKind;
import io.twostep.device.nvme.NvmeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/**
 * Work on a file and on copies of it in the temporary folder.
 *
 * @param <T> what comes of it
 */
interface FileWork<T> {
  /** Do it. */
  T run() throws IOException;

  /** Do it, and say in one line what kept it from being done. */
  static <T> T on(Path file, FileWork<T> work) {
    try {
      return work.run();
    } catch (IOException e) {
      throw new BadInput("working on " + file + " failed: " + Reason.of(e));
    } catch (UncheckedIOException e) {
      throw new BadInput(Reason.of(e));
    } catch (NvmeException e) {
      if (e.kind() != NvmeErrorKind.NO_SPACE) {
        throw e;
      }
      throw new BadInput("no space for the blocks of " + file + " in " + Arguments.temporaryFolder() + ": " + Arguments.ANOTHER_FOLDER);
    }
  }
}
