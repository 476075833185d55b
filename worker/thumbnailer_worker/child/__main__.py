"""The child that makes pictures."""

from thumbnailer_worker.child.running import main
from thumbnailer_worker.imaging import pipeline

if __name__ == "__main__":
    main(pipeline.make, pipeline.preload)
