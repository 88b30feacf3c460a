"""The unsupervised experiment of Diehl & Cook (2015) on images of digits: network, presentations, read-out, picture."""
