"""What readers of licensed data sets share: keypoints and poses by camera, packs, completeness."""
